"""When a connection breaks, a process tells again what it wrote or heard of lately, and only then believes Redis."""

import pytest
import redis

from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.shared import again as again_module
from daxlite.shared import recent as recent_module
from daxlite.shared.outbox import CHUNK
from daxlite.shared.tags import EVERYTHING, everything_of, named_tag
from tests.scripted_client import KEY
from tests.shared.fleet import RECORD, Fleet, Member, drive
from tests.shared.test_upkeep import lose_the_reply


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def renewed(member: Member) -> bool:
    """The subscription is there again; returns whether messages count as heard from now on."""
    is_heard: bool = member.hearing.on_renewed()
    return is_heard


def fail_over(fleet: Fleet, before: dict[str, tuple[bytes, float]]) -> None:
    """The new primary knows what the old one knew then."""
    fleet.server.data = dict(before)


def broken(fleet: Fleet, member: Member) -> None:
    """A connection of the process breaks at its next command."""
    fleet.server.fail_at(0)
    member.tier.generations.forget_all()
    member.get()
    fleet.server.failing = lambda command: None


@pytest.fixture
def stale(fleet: Fleet) -> tuple[Fleet, Member, Member]:
    """A fleet of which Redis has forgotten the last write: what was there before is on top again."""
    writer, other = fleet.member(), fleet.member()
    assert other.get() == writer.get() == "0"
    fleet.clock.advance(20)
    assert other.get() == writer.get() == "0", "not on probation any more"
    before = dict(fleet.server.data)
    writer.put(1)
    fleet.deliver()
    assert other.get() == "1"
    fail_over(fleet, before)
    return fleet, writer, other


def test_without_anything_a_fail_over_that_forgets_brings_the_old_value_back(
    stale: tuple[Fleet, Member, Member],
) -> None:
    """What these tests are about; a test that could not see it would prove nothing."""
    _, writer, other = stale
    assert [writer.get(), other.get()] == ["0", "0"]


@pytest.mark.parametrize("who", [0, 1], ids=["the writer", "one that has heard of it"])
def test_a_command_on_a_broken_connection_bumps_what_was_written_or_heard_of_lately(
    stale: tuple[Fleet, Member, Member], who: int
) -> None:
    fleet, *members = stale
    broken(fleet, members[who])
    assert members[who].tier.again.is_owed
    members[who].connection.breaker.close()
    assert members[who].get() == "1"
    assert not members[who].tier.again.is_owed
    assert members[1 - who].get() == "1"


def test_a_lost_subscription_does_so_too(stale: tuple[Fleet, Member, Member]) -> None:
    _, writer, other = stale
    other.hearing.on_lost()
    assert other.get() == "1", "from DynamoDB: Redis is not believed yet"
    other.turn()
    assert writer.get() == "1"


def test_nothing_counts_as_heard_before_what_is_owed_is_delivered(stale: tuple[Fleet, Member, Member]) -> None:
    fleet, writer, other = stale
    other.hearing.on_lost()
    with fleet.server.down():
        assert not renewed(other)
        assert other.tier.again.is_owed
    assert renewed(other)
    assert not other.tier.again.is_owed
    assert writer.get() == "1"


def test_it_is_bumped_over_the_new_subscription_though_the_old_primary_took_it(fleet: Fleet) -> None:
    """The old one still answered, and the new one has never heard of it."""
    writer, other = fleet.member(), fleet.member()
    writer.get()
    fleet.clock.advance(20)
    writer.get()
    before = dict(fleet.server.data)
    writer.put(1)
    writer.hearing.on_lost()
    writer.turn()
    assert not len(writer.outbox)
    fleet.clock.advance(1)
    fail_over(fleet, before)
    assert renewed(writer)
    assert other.get() == "1"


def test_meanwhile_reads_do_not_use_redis(stale: tuple[Fleet, Member, Member]) -> None:
    fleet, _, other = stale
    other.hearing.on_lost()
    other.turn()
    fleet.server.take()
    assert other.get() == "1"
    assert fleet.server.take() == []


def test_a_subscription_that_does_not_come_back_costs_that_for_a_while_only(fleet: Fleet) -> None:
    """Without the right to subscribe, say."""
    member = fleet.member()
    for _ in range(5):
        member.hearing.on_lost()
        fleet.clock.advance(again_module.LONGEST / 4)
    fleet.server.take()
    member.get()
    assert fleet.server.take() != []


def test_what_is_written_or_heard_of_before_the_delivery_is_owed_as_well(fleet: Fleet) -> None:
    writer, member = fleet.member(), fleet.member()
    writer.put(1)
    fleet.deliver()
    with fleet.server.down():
        member.tier.generations.forget_all()
        member.get()
        before = dict(fleet.server.data)
    fleet.clock.advance(30)  # and that is long ago by now
    assert len(member.outbox)
    writer.call("PutItem", Item={"pk": {"S": "b"}})
    fleet.deliver()
    fail_over(fleet, before)
    member.turn()
    told = {tag for message in fleet.deliver() for tag in message.changed}
    item = {tag for tag in member.tier.recent.tags() or () if tag not in told}
    assert item == set()


def test_a_full_pool_and_its_growth_break_nothing(fleet: Fleet) -> None:
    member = fleet.member()
    member.put(1)
    pool = member.connection.clients._way
    assert pool.broken == 0
    fleet.server.failing = lambda command: redis.exceptions.MaxConnectionsError("all are in use")
    member.get()
    assert not len(member.outbox)
    fleet.server.failing = lambda command: redis.TimeoutError("slow, once")
    member.connection.breaker.close()
    member.get()
    assert not len(member.outbox), "one late answer is no break"


def test_a_server_that_did_not_answer_several_times_may_be_another_one_when_it_does(fleet: Fleet) -> None:
    member = fleet.member()
    member.put(1)
    fleet.server.failing = lambda command: redis.TimeoutError("silent")
    for _ in range(3):
        member.get()
    assert len(member.outbox)


def test_a_connection_that_was_found_broken_and_replaced_counts(stale: tuple[Fleet, Member, Member]) -> None:
    """Before a command, so that no command failed."""
    fleet, writer, other = stale
    pool = other.connection.clients._way
    plain = fleet.server.execute

    def execute(command: object) -> object:
        if not pool.broken:
            pool.broken += 1
            lease.was_broken = True
        return plain(command)  # type: ignore[arg-type]

    leases = other.connection.clients.lease

    def leased(deadline: float | None = None) -> object:
        nonlocal lease
        lease = leases(deadline)
        return lease

    lease = leases()
    other.connection.clients.lease = leased
    fleet.server.execute = execute  # type: ignore[assignment, method-assign]
    assert other.get() == "1", "what came over it is not believed"
    other.turn()
    assert writer.get() == "1"


def test_more_than_is_remembered_is_the_namespace(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_module, "MAX_RECENT", 10)
    member = fleet.member()
    member.tier.remember([named_tag(str(number)) for number in range(20)], 0.0)
    member.hearing.on_lost()
    member.turn()
    assert [dict(message.changed) for message in fleet.deliver()] == [{EVERYTHING: EVERY_EXTENT}]


def test_much_is_sent_in_chunks(fleet: Fleet) -> None:
    member = fleet.member()
    member.tier.remember([named_tag(str(number)) for number in range(2 * CHUNK + 1)], 0.0)
    member.hearing.on_lost()
    fleet.server.take()
    assert renewed(member)
    assert fleet.server.take() == ["EVAL"] * 3


def test_records_of_unknown_outcome_stand_again(fleet: Fleet) -> None:
    writer = fleet.member()
    before = dict(fleet.server.data)
    lose_the_reply(fleet)
    with pytest.raises(ConnectionError):
        writer.put(1)
    assert fleet.open_records() == 1
    fail_over(fleet, before)
    assert fleet.open_records() == 0
    writer.hearing.on_lost()
    fleet.clock.advance(3)
    assert renewed(writer)
    assert fleet.open_records() == 1
    fleet.clock.advance(RECORD - 2.5)
    assert fleet.open_records() == 0, "no longer than they were to last"


def test_a_process_that_may_have_missed_messages_keeps_nothing(fleet: Fleet) -> None:
    member = fleet.member(local=True)
    member.hear()
    member.get()
    member.get()
    fleet.dynamodb.item = {**KEY, "v": {"N": "9"}}
    fleet.server.flush()
    assert renewed(member)
    assert member.get() == "9"


def test_a_finish_does_not_keep_a_value_while_something_is_owed(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    fleet.dynamodb.meanwhile = lambda operation: writer.hearing.on_lost()
    writer.put(1)
    assert fleet.open_records() == 1
    writer.turn()
    assert fleet.open_records() == 0
    assert other.get() == "1"


def test_a_read_that_was_under_way_when_the_connection_broke_stores_nothing(fleet: Fleet) -> None:
    writer, reader = fleet.member(), fleet.member()
    writer.put(1)
    fleet.deliver()
    fleet.clock.advance(20)
    fleet.server.data = {key: value for key, value in fleet.server.data.items() if key.endswith(":state")}
    fleet.dynamodb.meanwhile = lambda operation: reader.tier.again.lost()
    reader.get()
    assert all(key.endswith(":state") for key in fleet.server.keys(""))


def test_begin_anew_after_a_fork_owes_nothing(fleet: Fleet) -> None:
    member = fleet.member()
    with fleet.server.down():
        member.put(1)
    member.outbox.add(everything_of([named_tag("a")]))
    member.membership.begin()
    member.outbox.attend = lambda: None  # type: ignore[method-assign]
    assert not len(member.outbox)
    assert not member.tier.again.is_owed
    assert drive(member.tier.again.renewed())
