"""Settings of tables that one of several processes replaces: the others go on, and neither shows anything old."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from daxlite import CacheConfig, TableConfig
from daxlite.edges.shared import check_parts
from tests.scripted_client import ALL_INDEXES, KEY, TABLE, description
from tests.shared.fleet import DynamoDB, Fleet, Member

ON = TableConfig(schema=ALL_INDEXES)
OFF = TableConfig(schema=ALL_INDEXES, enabled=False)
READS: dict[str, Callable[[Member], Any]] = {
    "an item": lambda member: member.get(),
    "a projection": lambda member: member.call("GetItem", Key=KEY, ProjectionExpression="v"),
    "a page": lambda member: member.by_owner("ann"),
}
WRITES: dict[str, Callable[[Member], Any]] = {
    "a put": lambda member: member.put(2, owner={"S": "ann"}),
    "a delete": lambda member: member.call("DeleteItem", Key=KEY),
}
EVERY_READ = pytest.mark.parametrize("read", READS)


def configure(member: Member, *tables: TableConfig) -> None:
    for each in tables:
        member.cache.configure(tables={TABLE: each})


def sent(fleet: Fleet, read: Callable[[Member], Any], member: Member) -> list[str]:
    fleet.dynamodb.take()
    read(member)
    return fleet.dynamodb.take()


def store(fleet: Fleet, read: Callable[[Member], Any], member: Member) -> None:
    """Have a process store what it reads, for its whole TTL."""
    read(member)  # on probation, for the state has just been made
    fleet.clock.advance(10)
    read(member)
    fleet.clock.advance(1)


class Described(DynamoDB):
    """One that tells the keys of its table."""

    def __call__(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if operation == "DescribeTable":
            return description("pk", indexes={"by_owner": ("owner", "age")}, local={"local": "age"})
        return super().__call__(operation, params)


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@EVERY_READ
def test_what_stood_in_redis_before_the_table_was_switched_on_is_not_taken(fleet: Fleet, read: str) -> None:
    one, other = fleet.member(), fleet.member()
    store(fleet, READS[read], other)
    configure(one, OFF, ON)
    fleet.clock.advance(1)
    assert len(sent(fleet, READS[read], one)) == 1
    assert sent(fleet, READS[read], one) == [], "it stored what it read"
    assert sent(fleet, READS[read], other) == [], "the other one goes on"


@EVERY_READ
def test_nor_of_a_table_that_was_not_in_use_then(fleet: Fleet, read: str) -> None:
    one, other = fleet.member(), fleet.member()
    store(fleet, READS[read], other)
    configure(one, OFF, ON)
    fleet.clock.advance(1)
    assert len(one.cache._memory._state.tables) == 0
    assert len(sent(fleet, READS[read], one)) == 1


def test_what_another_process_stores_from_then_on_is_taken(fleet: Fleet) -> None:
    one, other = fleet.member(), fleet.member()
    configure(one, OFF, ON)
    fleet.clock.advance(1)
    store(fleet, Member.get, other)
    assert sent(fleet, Member.get, one) == []


@pytest.mark.parametrize("switched", [(OFF,), (OFF, ON)], ids=["off", "off and on"])
@EVERY_READ
def test_p3_what_is_being_read_meanwhile_does_not_come_back(
    fleet: Fleet, read: str, switched: tuple[TableConfig, ...]
) -> None:
    one = fleet.member(local=True)
    one.hear()

    def meanwhile(operation: str) -> None:
        fleet.clock.advance(0.1)
        configure(one, *switched)

    fleet.dynamodb.meanwhile = meanwhile
    READS[read](one)
    assert len(one.cache._memory._state.entries) == 0
    fleet.clock.advance(1)
    configure(one, ON)
    assert len(sent(fleet, READS[read], one)) == 1


@pytest.mark.parametrize("write", WRITES)
def test_p5_the_others_are_told_of_the_writes_of_a_process_whose_table_is_off(fleet: Fleet, write: str) -> None:
    one, other = fleet.member(), fleet.member(local=True)
    other.hear()
    store(fleet, Member.get, other)
    store(fleet, READS["a page"], other)
    configure(one, OFF)
    WRITES[write](one)
    fleet.deliver()
    assert sent(fleet, Member.get, other) == ["GetItem!"], "it has just changed"
    assert len(sent(fleet, READS["a page"], other)) == 1


def test_a_write_of_a_table_that_is_off_leaves_other_items_to_the_others(fleet: Fleet) -> None:
    """Without the keys, each write would empty the whole table for them."""

    def get_another(member: Member) -> None:
        member.call("GetItem", Key={"pk": {"S": "another"}})

    fleet.dynamodb = Described()
    one, other = fleet.member(account="123456789012"), fleet.member()
    store(fleet, get_another, other)
    configure(one, TableConfig(enabled=False))
    one.put(1)
    assert sent(fleet, get_another, other) == []


def test_a_shorter_ttl_holds_for_what_others_stored(fleet: Fleet) -> None:
    one, other = fleet.member(), fleet.member(local=True)
    other.hear()
    store(fleet, Member.get, other)
    configure(one, TableConfig(schema=ALL_INDEXES, item_ttl=10))
    assert sent(fleet, Member.get, one) == []
    fleet.clock.advance(10)
    assert sent(fleet, Member.get, one) == ["GetItem"]


def test_what_is_found_lives_here_no_longer_than_the_ttl_of_this_process(fleet: Fleet) -> None:
    one, other = fleet.member(local=True), fleet.member()
    one.hear()
    store(fleet, Member.get, other)
    configure(one, TableConfig(schema=ALL_INDEXES, item_ttl=10))
    assert sent(fleet, Member.get, one) == []
    assert len(one.cache._memory._state.entries) == 1
    fleet.clock.advance(10)
    assert sent(fleet, Member.get, one) == ["GetItem"]


def test_that_there_is_no_item_has_a_ttl_of_its_own(fleet: Fleet) -> None:
    one, other = fleet.member(), fleet.member()
    fleet.dynamodb.item = None
    store(fleet, Member.get, other)
    configure(one, TableConfig(schema=ALL_INDEXES, negative_ttl=10))
    assert sent(fleet, Member.get, one) == []
    fleet.clock.advance(10)
    assert sent(fleet, Member.get, one) == ["GetItem"]


def test_states_outlive_values_of_a_longer_ttl(fleet: Fleet) -> None:
    one = fleet.member()
    life = one.tier.settings.state_life
    configure(one, TableConfig(schema=ALL_INDEXES, query_ttl=7200))
    assert one.tier.settings.longest_ttl == 7200
    assert one.tier.settings.state_life == life + 7200
    configure(one, ON)
    assert one.tier.settings.longest_ttl == 7200, "values of before may stand there still"


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ({}, {TABLE: TableConfig(shared=False)}, TABLE),
        ({"T*": TableConfig(shared=False)}, {}, "T*"),
        ({"T*": TableConfig(shared=False)}, {"T*": TableConfig(shared=False), "T1": TableConfig()}, "T1"),
        ({"T*": TableConfig(shared=False), "Used": TableConfig()}, {"*": TableConfig(shared=False)}, "Used"),
        ({}, {"Use?": TableConfig(shared=False)}, "Use?"),
        # Not in use yet, and named by no setting.
        (
            {"*-x": TableConfig(shared=False)},
            {"*-x": TableConfig(shared=False), "Orders-*": TableConfig()},
            "Orders-x",
        ),
        ({"Q*": TableConfig(shared=False)}, {"Q?*": TableConfig(shared=False)}, "Q"),
    ],
)
def test_no_table_enters_the_tier_or_leaves_it(before: Any, after: Any, name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"shared of '{re.escape(name)}' must stay .* as the cache has a tier; enabled"
    ):
        check_parts(CacheConfig(tables=before), CacheConfig(tables=after), ["Used"])


def test_a_table_that_would_leave_the_tier_changes_nothing(fleet: Fleet) -> None:
    one = fleet.member()
    one.get()
    before = one.cache.config
    with pytest.raises(ValueError, match=r"shared of 'T' must stay True for as long as the cache has a tier"):
        one.cache.configure(tables={TABLE: {"shared": False, "schema": "pk"}})
    assert one.cache.config is before
    one.cache.configure(tables={TABLE: {"shared": True, "schema": "pk"}})
