"""Records of calls under way are renewed, records of unknown outcome stay, and index partitions are bumped again."""

import gc
import threading
from typing import Any

import pytest
import redis

from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.shared import upkeep as upkeep_module
from daxlite.shared.tags import EVERYTHING, named_tag
from daxlite.shared.writes import attend
from tests.scripted_client import KEY
from tests.shared.fleet import RECORD, Fleet, Member
from tests.shared.test_writes_in_trouble import stop

LOST = redis.TimeoutError("lost")


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


class Slow:
    """A call that takes long: what happens meanwhile is told by a test."""

    def __init__(self, fleet: Fleet, member: Member, seconds: float, steps: int = 1) -> None:
        self.open: list[int] = []

        def wait(operation: str) -> None:
            for _ in range(steps):
                fleet.clock.advance(seconds / steps)
                member.turn()
                self.open.append(fleet.open_records())

        fleet.dynamodb.meanwhile = wait


def test_the_record_of_a_call_under_way_is_renewed_before_it_ends(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    slow = Slow(fleet, writer, 100.0, 200)
    writer.put(1)
    assert set(slow.open) == {1}
    assert fleet.open_records() == 0
    assert next(message.lasts for message in fleet.deliver()) == RECORD
    fleet.dynamodb.take()
    assert other.get() == "1"
    assert fleet.dynamodb.take() == [], "nobody else wrote: the value was kept"


def test_most_of_the_record_is_left_whenever_an_attempt_begins(fleet: Fleet) -> None:
    writer = fleet.member()
    left: list[int] = []

    def wait(operation: str) -> None:
        for _ in range(40):
            fleet.clock.advance(0.25)
            writer.turn()
        fleet.clock.advance(RECORD * 0.7)  # the process dies
        left.append(fleet.open_records())

    fleet.dynamodb.meanwhile = wait
    writer.put(1)
    assert left == [1]


def test_the_hooks_of_a_renewal_cost_one_round_trip_for_all(fleet: Fleet) -> None:
    writer = fleet.member()
    count: list[list[str]] = []

    def nested(operation: str) -> None:
        def wait(operation: str) -> None:
            fleet.clock.advance(2.0)
            fleet.server.take()
            writer.turn()
            count.append(fleet.server.take())

        fleet.dynamodb.meanwhile = wait
        writer.call("PutItem", Item={"pk": {"S": "b"}})

    fleet.dynamodb.meanwhile = nested
    writer.put(1)
    assert count == [["EVAL", "EVAL"]]


def test_nothing_is_renewed_for_a_write_that_has_ended(fleet: Fleet) -> None:
    writer, writes = fleet.member(), []
    start = writer.tier.upkeep.start

    def started(id: bytes, write: Any, lasts: float) -> None:
        writes.append(write)  # something still refers to it
        start(id, write, lasts)

    writer.tier.upkeep.start = started  # type: ignore[method-assign]
    writer.put(1)
    fleet.clock.advance(3)
    fleet.server.take()
    writer.turn()
    assert fleet.server.take() == []
    assert not writer.tier.upkeep.is_needed


def test_a_record_that_was_renewed_as_its_write_ended_is_closed(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    steps: list[Any] = []

    def meanwhile(operation: str) -> None:
        fleet.clock.advance(3)
        renewal = attend(writer.tier)
        steps.append((renewal, next(renewal)))

    fleet.dynamodb.meanwhile = meanwhile
    writer.put(1)
    ((renewal, step),) = steps
    replies = writer.connection.run(step.commands)  # it arrives after the finish
    assert fleet.open_records() == 1
    with pytest.raises(StopIteration):
        renewal.send(replies)
    writer.turn()
    assert fleet.open_records() == 0
    assert other.get() == "1"


def test_a_process_that_was_frozen_loses_its_record_and_tells_again(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    other.get()

    def freeze(operation: str) -> None:
        fleet.deliver()
        fleet.clock.advance(RECORD + 1)
        other.get()

    fleet.dynamodb.meanwhile = freeze
    writer.put(1)
    assert [message.lasts for message in fleet.deliver()] == [0.0]
    assert other.get() == "1"


def test_what_readers_kept_after_a_record_had_ended_is_not_valid_again_with_its_renewal(fleet: Fleet) -> None:
    """The token of begin was on top while they read; a renewal must not put the same one there again."""
    writer, other = fleet.member(), fleet.member()

    def freeze(operation: str) -> None:
        fleet.clock.advance(RECORD + 6)
        assert other.by_owner("ann")["Items"]
        assert other.call("Query", KeyConditionExpression="pk = :v", ExpressionAttributeValues={":v": {"S": "a"}})
        writer.turn()
        fleet.clock.advance(0.1)

    fleet.dynamodb.item = {**KEY, "v": {"N": "0"}, "owner": {"S": "ann"}, "age": {"N": "1"}}
    fleet.dynamodb.meanwhile = freeze
    writer.put(1)
    found = other.call("Query", KeyConditionExpression="pk = :v", ExpressionAttributeValues={":v": {"S": "a"}})
    assert found["Items"][0]["v"]["N"] == "1"


def test_a_call_that_never_ends_is_renewed_for_an_hour_at_most(fleet: Fleet) -> None:
    writer = fleet.member()
    lasted: list[int] = []

    def hang(operation: str) -> None:
        fleet.clock.advance(1.0)
        for _ in range(1300):
            fleet.clock.advance(3.0)
            writer.turn()
        lasted.append(fleet.open_records())

    fleet.dynamodb.meanwhile = hang
    writer.put(1)
    assert lasted == [0]


def test_a_write_that_nobody_refers_to_any_more_is_not_renewed(fleet: Fleet) -> None:
    writer = fleet.member()
    fleet.dynamodb.meanwhile = stop
    upkeep = writer.tier.upkeep
    upkeep.start(b"gone", threading.Event(), RECORD)
    gc.collect()
    fleet.clock.advance(3)
    assert upkeep.due() == []
    assert not upkeep.is_needed


# Unknown outcomes


def lose_the_reply(fleet: Fleet) -> None:
    def lose(operation: str) -> None:
        raise ConnectionError("the reply is lost")

    fleet.dynamodb.meanwhile = lose


def test_partitions_of_global_indexes_are_bumped_once_more_at_the_deadline(fleet: Fleet) -> None:
    writer = fleet.member()
    lose_the_reply(fleet)
    with pytest.raises(ConnectionError):
        writer.put(1, owner={"S": "ann"}, age={"N": "1"})
    first = [message for message in fleet.deliver() if not message.lasts]
    assert first, "at once"
    fleet.clock.advance(RECORD - 0.5)
    writer.turn()
    assert fleet.deliver() == []
    fleet.clock.advance(1)
    writer.turn()
    again = [message for message in fleet.deliver() if not message.lasts]
    assert {tag for message in again for tag in message.changed} == {tag for each in first for tag in each.changed}
    assert not writer.tier.upkeep.is_needed


def test_close_bumps_them_at_once(fleet: Fleet) -> None:
    writer = fleet.member()
    lose_the_reply(fleet)
    with pytest.raises(ConnectionError):
        writer.put(1, owner={"S": "ann"}, age={"N": "1"})
    fleet.deliver()
    writer.cache.close()
    assert [message.lasts for message in fleet.deliver()] == [0.0]


def test_a_record_of_unknown_outcome_is_opened_by_the_outbox_for_what_is_left(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    other.get()

    def lose(operation: str) -> None:
        fleet.server.flush()
        fleet.server.failing = lambda command: LOST
        raise ConnectionError("the reply is lost")

    fleet.dynamodb.meanwhile = lose
    with pytest.raises(ConnectionError):
        writer.put(1)
    fleet.server.failing = lambda command: None
    fleet.clock.advance(3)
    writer.turn()
    assert fleet.open_records() == 1
    fleet.clock.advance(4.5)
    assert fleet.open_records() == 0


def test_too_many_that_wait_for_a_deadline_are_the_namespace(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep_module, "MAX_LATER", 10)
    upkeep = fleet.member().tier.upkeep
    for number in range(11):
        upkeep.bump_later({named_tag(str(number)): EVERY_EXTENT}, float(number + 1))
    fleet.clock.advance(10.5)
    assert upkeep.ripe() == {}
    fleet.clock.advance(1)
    assert upkeep.ripe() == {EVERYTHING: EVERY_EXTENT}


def test_records_left_open_are_forgotten_when_they_have_ended_and_when_they_are_too_many(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "MAX_LEFT", 2)
    upkeep = fleet.member().tier.upkeep
    for number in range(3):
        upkeep.leave(bytes([number]), list, {}, fleet.clock() + number)
    assert [id for id, _, _ in upkeep.left()] == [b"\1", b"\2"]
    fleet.clock.advance(1.5)
    assert [id for id, _, _ in upkeep.left()] == [b"\2"]


def test_a_signal_handler_may_write_while_its_own_thread_looks_after_records(fleet: Fleet) -> None:
    lock = fleet.member().tier.upkeep._lock
    with lock:
        assert lock.acquire(blocking=False), "it would wait for itself"
        lock.release()
