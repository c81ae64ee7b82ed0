"""Writes while Redis is in trouble: they cost the budget once, and what Redis was not told it is told later (P7)."""

from typing import Any

import pytest
import redis

import daxlite
from daxlite.calls.planning import plan
from daxlite.calls.registry import operation_of
from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.shared import outbox as outbox_module
from daxlite.shared.breaker import FAILURES_TO_OPEN
from daxlite.shared.failures import Unavailable
from daxlite.shared.tags import EVERYTHING, named_tag
from tests.scripted_client import KEY, TABLE
from tests.shared.fleet import Fleet, Member, drive


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def scripts(fleet: Fleet) -> int:
    """How many scripts were run since this was last asked."""
    return fleet.server.take().count("EVAL")


def open_the_breaker(member: Member) -> None:
    with member.fleet.server.down():
        for _ in range(FAILURES_TO_OPEN):
            member.connection.breaker.failed()
    assert member.connection.breaker.is_open


def test_begin_is_tried_though_the_breaker_is_open(fleet: Fleet) -> None:
    writer, reader = fleet.member(), fleet.member()
    reader.get()
    open_the_breaker(writer)
    writer.put(1)
    assert [message.lasts for message in fleet.deliver()] == [7.0]
    assert reader.get() == "1"
    assert not len(writer.outbox)


def test_a_write_of_which_begin_was_not_answered_asks_redis_once(fleet: Fleet) -> None:
    writer = fleet.member()
    asked: list[Any] = []

    def fail(command: tuple[Any, ...]) -> BaseException:
        asked.append(command[0])
        return redis.TimeoutError("slow")

    fleet.server.failing = fail
    writer.put(1)
    assert len(asked) == 1
    assert fleet.dynamodb.item is not None
    assert fleet.dynamodb.item["v"]["N"] == "1"
    assert len(writer.outbox)


def test_what_was_not_told_is_delivered_before_this_process_believes_redis(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    assert other.get() == writer.get() == "0"
    with fleet.server.down():
        writer.put(1)
    writer.connection.breaker.close()
    assert writer.get() == "1"
    assert not len(writer.outbox)
    assert other.get() == "1", "and the others do not find what was there before"


def test_the_thread_delivers_it_though_the_breaker_is_open(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    other.get()
    with fleet.server.down():
        for version in range(1, 6):
            writer.put(version)
    assert writer.connection.breaker.is_open
    writer.turn()
    assert not len(writer.outbox)
    assert not writer.connection.breaker.is_open
    assert other.get() == "5"


def test_a_begin_whose_reply_was_lost_is_closed_by_the_outbox(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    plain = fleet.server.execute

    def execute(command: tuple[Any, ...]) -> Any:
        plain(command)
        raise redis.TimeoutError("the reply is lost")

    fleet.server.execute = execute  # type: ignore[method-assign]
    writer.put(1)
    fleet.server.execute = plain  # type: ignore[method-assign]
    writer.turn()
    assert fleet.open_records() == 0, "the record does not stay until it ends by itself"
    assert other.get() == "1"


def test_a_finish_that_was_not_answered_is_told_by_the_outbox(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    other.get()

    def break_down(operation: str) -> None:
        fleet.server.failing = lambda command: redis.ConnectionError("down")

    fleet.dynamodb.meanwhile = break_down
    writer.put(1)
    fleet.server.failing = lambda command: None
    assert fleet.open_records() == 1
    writer.turn()
    assert fleet.open_records() == 0
    assert other.get() == "1"


def test_a_read_sends_a_part_of_a_long_backlog_and_does_not_ask_redis_yet(fleet: Fleet) -> None:
    member = fleet.member()
    member.get()
    tags = {named_tag(str(number)): EVERY_EXTENT for number in range(1200)}
    member.outbox.add(tags)
    fleet.server.take()
    fleet.dynamodb.take()
    assert member.get() == "0"
    assert fleet.server.take() == ["EVAL"], "one chunk, and no look at Redis after it"
    assert fleet.dynamodb.take() == ["GetItem"]
    assert len(member.outbox) == 700
    member.turn()
    assert scripts(fleet) == 2
    assert not len(member.outbox)


def test_too_much_to_remember_is_one_bump_of_the_namespace(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "MAX_PENDING", 10)
    writer, other = fleet.member(), fleet.member()
    other.get()
    with fleet.server.down():
        writer.put(1)
        writer.outbox.add({named_tag(str(number)): EVERY_EXTENT for number in range(11)})
    assert len(writer.outbox) == 1
    writer.turn()
    assert [dict(message.changed) for message in fleet.deliver()] == [{EVERYTHING: EVERY_EXTENT}]
    assert other.get() == "1"


def test_p5_an_item_that_a_write_has_left_in_memory_goes_with_another_process_s_write(fleet: Fleet) -> None:
    member, other = fleet.member(local=True), fleet.member()
    member.hear()
    member.put(1)
    fleet.server.take()
    assert member.get() == "1"
    assert fleet.server.take() == [], "from memory"
    other.put(2)
    fleet.deliver()
    assert member.get() == "2"


# Interruptions


class Stop(BaseException):
    """Ctrl-C, say."""


def stop(*arguments: Any) -> None:
    raise Stop


def test_a_write_that_is_interrupted_under_way_stays_open(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    other.get()
    fleet.dynamodb.meanwhile = stop
    with pytest.raises(Stop):
        writer.put(1)
    assert fleet.open_records() == 1, "the request may be applied yet"
    assert EVERYTHING not in {tag for message in fleet.deliver() for tag in message.changed}


def test_an_interruption_between_begin_and_finish_bumps_the_tables_that_the_call_names(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the namespace of the whole fleet."""
    writer, other = fleet.member(), fleet.member()
    other.get()
    monkeypatch.setattr("daxlite.calls.write_item.images", stop)
    with pytest.raises(Stop):
        writer.put(1)
    writer.turn()
    told = {tag for message in fleet.deliver() for tag in message.changed}
    assert EVERYTHING not in told
    assert fleet.open_records() == 1, "what it had begun stays open until it ends by itself"
    assert other.get() == "1"
    fleet.clock.advance(8)
    assert fleet.open_records() == 0


def test_steps_that_end_in_the_middle_of_a_write_leave_it_to_the_outbox(fleet: Fleet) -> None:
    """As where the driver is interrupted: no step is taken any more."""
    writer = fleet.member()
    params = {"TableName": TABLE, "Item": {**KEY, "v": {"N": "1"}}}
    steps: Any = plan(writer.dispatcher.context, operation_of("PutItem"), params)
    step = next(steps)
    while type(step).__name__ != "Call":
        step = steps.send(writer.dispatcher._driver._take(step, None, None))
    steps.close()
    assert len(writer.outbox) > 0
    fleet.clock.advance(3)
    writer.turn()
    assert fleet.open_records() == 1
    fleet.clock.advance(4.5)
    assert fleet.open_records() == 0, "it lasts from the interruption"


def test_a_finish_that_is_interrupted_is_told_by_the_outbox(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, other = fleet.member(), fleet.member()
    other.get()
    monkeypatch.setattr("daxlite.shared.writes._encoded", stop)
    with pytest.raises(Stop):
        writer.put(1)
    writer.turn()
    assert fleet.open_records() == 0
    assert other.get() == "1"


# require_for_writes


def test_a_write_of_which_redis_cannot_be_told_is_refused_before_dynamodb_is_asked(fleet: Fleet) -> None:
    writer, other = fleet.member(require_for_writes=True), fleet.member()
    writer.put(1)
    fleet.dynamodb.take()
    with fleet.server.down():
        with pytest.raises(daxlite.SharedUnavailable) as raised:
            writer.put(2)
        assert "secret" not in str(raised.value)
        assert writer.get() == "1", "reads are not affected"
    assert fleet.dynamodb.take() == ["GetItem!"]
    assert writer.cache.stats().faults == 0
    writer.turn()
    assert other.get() == "1"
    writer.put(2)
    assert other.get() == "2"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("BatchWriteItem", {"RequestItems": {TABLE: [{"PutRequest": {"Item": {**KEY, "v": {"N": "1"}}}}]}}),
        ("TransactWriteItems", {"TransactItems": [{"Delete": {"TableName": TABLE, "Key": KEY}}]}),
        ("ExecuteStatement", {"Statement": "DELETE FROM T WHERE pk = 'a'"}),
        ("ExecuteStatement", {"Statement": "something new"}),
        ("DeleteTable", {"TableName": TABLE}),
        ("PatchItemIn2030", {"Items": []}),
    ],
)
def test_so_is_whatever_else_may_change_something(fleet: Fleet, operation: str, params: dict[str, Any]) -> None:
    writer = fleet.member(require_for_writes=True)
    with fleet.server.down(), pytest.raises(daxlite.SharedUnavailable):
        writer.dispatcher.call(operation, params)
    assert fleet.dynamodb.take() == []
    writer.turn()
    writer.dispatcher.call(operation, params)
    assert fleet.dynamodb.take() == [operation]


def test_what_a_refused_write_may_have_begun_is_closed_and_what_it_displaced_is_valid_again(fleet: Fleet) -> None:
    writer, other = fleet.member(require_for_writes=True), fleet.member()
    plain = fleet.server.execute

    def execute(command: tuple[Any, ...]) -> Any:
        plain(command)
        raise redis.TimeoutError("the reply is lost")

    fleet.server.execute = execute  # type: ignore[method-assign]
    with pytest.raises(daxlite.SharedUnavailable):
        writer.put(1)
    fleet.server.execute = plain  # type: ignore[method-assign]
    writer.turn()
    assert fleet.open_records() == 0
    assert other.get() == "0"


def test_unavailable_is_said_where_too_much_is_pending(fleet: Fleet) -> None:
    member = fleet.member()
    member.outbox.add({named_tag(str(number)): EVERY_EXTENT for number in range(501)})
    with pytest.raises(Unavailable):
        drive(member.outbox.flush())
