"""Redis answers, but takes no writes: others are told to distrust the states that could not be changed (P7)."""

import pytest
import redis

from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.drivers.threads import ThreadDriver
from daxlite.shared import distrust as distrust_module
from daxlite.shared import tier as tier_module
from daxlite.shared.distrust import AGAIN
from daxlite.shared.messages import decode_message, encode_message
from daxlite.shared.tags import EVERYTHING, named_tag
from tests.scripted_client import KEY, TABLE, refused
from tests.shared.fleet import Fleet, Member

REFUSALS = [
    redis.exceptions.ReadOnlyError("You can't write against a read only replica."),
    redis.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
    redis.ResponseError("NOREPLICAS Not enough good replicas to write."),
    redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def settled(fleet: Fleet) -> tuple[Fleet, Member, Member]:
    """A fleet, of which Redis has the item, not on probation any more."""
    writer, other = fleet.member(), fleet.member()
    assert writer.get() == other.get() == "0"
    fleet.clock.advance(20)
    assert writer.get() == other.get() == "0"
    return fleet, writer, other


def write_under(fleet: Fleet, writer: Member, error: Exception, version: int = 1) -> None:
    with fleet.refusing_writes(error):
        writer.put(version)


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: str(error)[:8])
def test_what_stands_under_a_state_that_could_not_be_changed_is_not_served(fleet: Fleet, error: Exception) -> None:
    writer, other = fleet.member(), fleet.member()
    assert other.get() == "0"
    write_under(fleet, writer, error)
    assert [message.is_distrust for message in fleet.deliver()] == [True]
    fleet.dynamodb.take()
    assert other.get() == "1"
    assert fleet.dynamodb.take() == ["GetItem!"], "strongly: a replica may be behind"
    assert other.get() == "1"
    assert fleet.dynamodb.take() == ["GetItem!"], "and nothing is kept"


def test_it_is_told_before_dynamodb_is_asked(fleet: Fleet) -> None:
    writer = fleet.member()
    told: list[int] = []
    fleet.dynamodb.meanwhile = lambda operation: told.append(len(fleet.deliver()))
    write_under(fleet, writer, REFUSALS[0])
    assert told == [1]


def test_it_is_trusted_again_when_the_outbox_has_delivered(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    other.get()
    write_under(fleet, writer, REFUSALS[0])
    fleet.deliver()
    writer.turn()
    assert [message.is_distrust for message in fleet.deliver()] == [False]
    fleet.clock.advance(20)
    fleet.dynamodb.take()
    assert [other.get() for _ in range(3)] == ["1"] * 3
    assert fleet.dynamodb.take() == ["GetItem"]


def test_a_write_that_only_begins_does_not_end_the_distrust(settled: tuple[Fleet, Member, Member]) -> None:
    """DynamoDB may refuse it, and what was there before would be on top again."""
    fleet, writer, other = settled
    second = fleet.member()
    write_under(fleet, writer, REFUSALS[0])
    fleet.deliver()

    def refuse(operation: str) -> None:
        raise refused("ThrottlingException", retries=0)

    fleet.dynamodb.meanwhile = refuse
    with pytest.raises(Exception, match="ThrottlingException"):
        second.put(7)
    fleet.deliver()
    assert other.get() == "1"


def test_it_is_told_again_for_as_long_as_it_lasts(settled: tuple[Fleet, Member, Member]) -> None:
    fleet, writer, other = settled
    with fleet.refusing_writes(REFUSALS[0]):
        writer.put(1)
        for _ in range(40):
            fleet.deliver()
            fleet.clock.advance(25)
            writer.turn()
            assert other.get() == "1"
    fleet.deliver()
    writer.turn()
    assert all(not message.is_distrust for message in fleet.deliver())


def test_so_is_what_is_announced_by_hand(settled: tuple[Fleet, Member, Member]) -> None:
    fleet, writer, other = settled
    fleet.dynamodb.item = {**KEY, "v": {"N": "5"}}
    with fleet.refusing_writes(REFUSALS[0]):
        writer.cache.invalidate(TABLE, KEY, region="eu-west-1")
        writer.turn()
        fleet.deliver()
        assert other.get() == "5"


def test_it_ends_by_itself(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    write_under(fleet, writer, REFUSALS[0])
    (message,) = fleet.deliver()
    assert message.lasts == 300.0
    assert other.tier.distrusts(message.changed)
    fleet.clock.advance(301)
    assert not other.tier.distrusts(message.changed)


def test_a_change_of_a_whole_table_distrusts_all_of_it(fleet: Fleet) -> None:
    writer, other = fleet.member(), fleet.member()
    other.get()
    fleet.dynamodb.take()
    with fleet.refusing_writes(REFUSALS[0]):
        writer.dispatcher.call("DeleteTable", {"TableName": TABLE})
        fleet.deliver()
        fleet.dynamodb.item = {**KEY, "v": {"N": "5"}}
        assert other.get() == "5"


def test_a_server_that_is_down_is_not_asked_to_publish(fleet: Fleet) -> None:
    writer = fleet.member()
    with fleet.server.down():
        writer.put(1)
    assert fleet.deliver() == []


def test_too_many_to_tell_of_one_by_one_are_everything(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distrust_module, "MAX_TOLD", 10)
    writer, other = fleet.member(), fleet.member()
    for number in range(8):
        write_under(fleet, writer, REFUSALS[0], number)
        fleet.clock.advance(AGAIN / 2)
    assert EVERYTHING not in writer.tier.distrust._told, "what was told long ago does not count"
    for number in range(12):
        changed = {named_tag(str(number)): EVERY_EXTENT}
        ThreadDriver().drive(writer.tier.distrust.tell(changed))
    assert [*writer.tier.distrust._told] == [EVERYTHING]
    fleet.deliver()
    assert other.tier.distrusts([named_tag("another")])


def test_too_many_to_distrust_one_by_one_are_everything(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier_module, "MAX_DISTRUSTED", 10)
    member = fleet.member()
    for number in range(11):
        data = encode_message(bytes(16), 5.0, {named_tag(str(number)): EVERY_EXTENT}, is_distrust=True)
        member.heard(decode_message(data))
    assert member.tier.distrusts([named_tag("another")])
    fleet.clock.advance(6)
    assert not member.tier.distrusts([named_tag("another")])


def test_the_message_says_so() -> None:
    data = encode_message(bytes(16), 2.0, {named_tag("a"): EVERY_EXTENT}, is_distrust=True)
    assert data[0] == 2, "golden: a release that does not know it drops everything"
    message = decode_message(data)
    assert (message.is_distrust, message.lasts, dict(message.changed)) == (True, 2.0, {named_tag("a"): EVERY_EXTENT})
    assert not decode_message(encode_message(bytes(16), 2.0, {})).is_distrust
