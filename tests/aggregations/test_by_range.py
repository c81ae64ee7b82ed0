"""P4 by range: a change drops only the results that read what it touched, here and in other processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daxlite import KeySchema, TableConfig, TableSchema
from daxlite.cache.indexes import hash_of
from daxlite.calls.listeners import add_change_listener, remove_change_listener
from daxlite.core.schema import partition_value
from daxlite.core.tables import Place
from daxlite.core.tags import partition_tag
from daxlite.shared.states import MAX_LOG
from daxlite.shared.tags import shared_tag
from tests.aggregations.scripted import Process, World
from tests.scripted_client import TABLE, ScriptedClient, made, page

SERIES = TableSchema(
    KeySchema.of("d", "t"), {"by_group": KeySchema.of("g", "t")}, local_indexes={"by_v": KeySchema.of("d", "v")}
)
WINDOW = 5.0
NEAR = pytest.mark.parametrize("near_bytes", [0, 1_000_000])
BOTH = pytest.mark.parametrize("reader", [0, 1], ids=["of the writer", "another process"])


def item(t: str, v: int = 1) -> dict[str, Any]:
    return {"d": {"S": "d#7"}, "t": {"S": t}, "v": {"N": str(v)}, "g": {"S": "g#1"}}


class Branch:
    """A process with an aggregation cache and a wrapped client, of whose writes others hear by Redis alone."""

    def __init__(self, world: World, items: dict[str, Any], near_bytes: int) -> None:
        self.process: Process = world.process(near_bytes=near_bytes)
        self.process.hearing.listen()
        self.items = items
        self.client = ScriptedClient(
            config={"tables": {TABLE: TableConfig(schema=SERIES)}, "settle_window": WINDOW},
            Query=lambda params: page(*self.items.values()),
            GetItem=lambda params: made(Item=self.items[params["Key"]["t"]["S"]]),
            PutItem=made(),
        )
        self.client.clock.now = world.clock()
        remove_change_listener(self.process.cache)
        self.computed: list[str] = []

    def put(self, t: str, v: int = 1) -> None:
        self.items[t] = item(t, v)
        add_change_listener(self.process.cache)
        try:
            self.client.put(item(t, v))
        finally:
            remove_change_listener(self.process.cache)

    def query(self, condition: str, low: str, high: str = "", **params: Any) -> Any:
        values = {":d": {"S": "g#1" if "IndexName" in params else "d#7"}, ":a": {"S": low}, ":b": {"S": high}}
        names = {"#d": "g" if "IndexName" in params else "d"}
        if ":b" not in condition:
            del values[":b"]
        return self.client(
            "Query",
            KeyConditionExpression=f"#d = :d AND {condition}",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            **params,
        )

    def of(self, name: str, **options: Any) -> Callable[[Callable[[], Any]], Any]:
        def decorate(function: Callable[[], Any]) -> Any:
            def counted() -> Any:
                self.computed.append(name)
                return function()

            return self.process.cache.cached(name=name, ttl=300, early_refresh=0, **options)(counted)

        return decorate

    def past(self) -> Any:
        """A function that reads from 15:00 to 15:59."""

        @self.of("past")
        def past() -> int:
            return len(self.query("t BETWEEN :a AND :b", "15:00", "15:59")["Items"])

        return past


class Branches:
    def __init__(self, world: World, near_bytes: int) -> None:
        self.world = world
        self.items = {t: item(t) for t in ("15:10", "15:50", "16:10")}
        self.all = [Branch(world, self.items, near_bytes) for _ in range(2)]

    @property
    def computed(self) -> list[str]:
        return [name for branch in self.all for name in branch.computed]


@pytest.fixture
def near_bytes() -> int:
    return 0


@pytest.fixture
def branches(world: World, near_bytes: int) -> Branches:
    return Branches(world, near_bytes)


def partition(index: str | None = None, value: str = "d#7") -> bytes:
    tag = partition_tag(Place("eu-west-1", TABLE), index, partition_value([{"S": value}]))
    return shared_tag(tag, hash_of)[0]


# What is dropped, and what is not


@NEAR
@BOTH
@pytest.mark.parametrize(
    ("written", "is_dropped"),
    [("14:59", False), ("15:00", True), ("15:30", True), ("15:59", True), ("15:590", False), ("17:05", False)],
)
def test_p4_a_write_drops_a_result_only_if_it_lies_in_what_was_read(
    branches: Branches, reader: int, written: str, is_dropped: bool
) -> None:
    writer = branches.all[0]
    past = branches.all[reader].past()
    for _ in range(3):
        past()
    assert branches.computed == ["past"]
    writer.put(written)
    past()
    assert branches.computed == ["past"] * (2 if is_dropped else 1)
    writer.put("15:40")
    past()
    assert branches.computed == ["past"] * (3 if is_dropped else 2), "and it still hears of what it did read"


def test_p4_a_near_result_stays_near(world: World) -> None:
    branches = Branches(world, 1_000_000)
    writer, reader = branches.all
    past = reader.past()
    past()
    past()
    for number in range(3 * MAX_LOG):
        writer.put(f"17:{number}")
        past()
    assert reader.process.counts.near_hits >= 3 * MAX_LOG
    assert reader.computed == ["past"]


CONDITIONS = {
    "equal": ("t = :a", "15:10", [("15:10", True), ("15:11", False)]),
    "less": ("t < :a", "15:10", [("15:11", False), ("11:00", True)]),
    "less or equal": ("t <= :a", "15:10", [("15:11", False), ("15:10", True)]),
    "greater": ("t > :a", "15:10", [("15:09", False), ("18:00", True)]),
    "greater or equal": ("t >= :a", "15:10", [("15:09", False), ("15:10", True)]),
    "begins with": ("begins_with(t, :a)", "15:1", [("15:2", False), ("15:09", False), ("15:12", True)]),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_p4_each_key_condition(branches: Branches, name: str) -> None:
    condition, low, writes = CONDITIONS[name]
    writer, reader = branches.all
    total = reader.of(name)(lambda: len(reader.query(condition, low)["Items"]))
    total()
    for written, is_dropped in writes:
        before = len(branches.computed)
        writer.put(written)
        total()
        assert (len(branches.computed) > before) == is_dropped, written


def test_p4_several_ranges_of_one_partition_are_taken_together(branches: Branches) -> None:
    writer, reader = branches.all

    @reader.of("two")
    def two() -> int:
        return sum(len(reader.query("t BETWEEN :a AND :b", f"{h}:00", f"{h}:59")["Items"]) for h in (13, 15))

    two()
    for written, calls in (("12:00", 1), ("16:00", 1), ("14:30", 2), ("13:30", 3), ("15:30", 4)):
        writer.put(written)
        two()
        assert len(branches.computed) == calls, written


def test_p4_a_whole_partition_and_an_item_are_dropped_as_before(branches: Branches) -> None:
    writer, reader = branches.all
    whole = reader.of("whole")(lambda: len(reader.client.query("d", {"S": "d#7"})["Items"]))
    one = reader.of("item")(lambda: reader.client.get(Key={"d": {"S": "d#7"}, "t": {"S": "15:10"}})["Item"]["v"]["N"])
    for function in (whole, one, whole, one):
        function()
    writer.put("17:00")
    assert (whole(), one()) == (4, "1")
    writer.put("15:10", 2)
    assert (whole(), one()) == (4, "2")
    assert branches.computed == ["whole", "item", "whole", "whole", "item"]


def test_p4_a_local_index_has_ranges_of_its_own(branches: Branches) -> None:
    writer, reader = branches.all

    @reader.of("cheap")
    def cheap() -> int:
        response = reader.client(
            "Query",
            IndexName="by_v",
            KeyConditionExpression="d = :d AND v < :v",
            ExpressionAttributeValues={":d": {"S": "d#7"}, ":v": {"N": "10"}},
        )
        return len(response["Items"])

    cheap()
    writer.put("15:00", 100)
    cheap()
    assert branches.computed == ["cheap"]
    writer.client.dynamodb.answers["PutItem"] = made(Attributes=item("15:00", 5))
    writer.put("15:00", 101)
    cheap()
    assert branches.computed == ["cheap"] * 2, "it was a cheap one"
    writer.client.dynamodb.answers["PutItem"] = made(Attributes=item("15:00", 101))
    writer.put("15:00", 7)
    cheap()
    assert branches.computed == ["cheap"] * 3


@NEAR
def test_p4_a_result_made_of_another_one_covers_what_that_one_does(branches: Branches) -> None:
    writer, reader = branches.all
    past = reader.past()
    outer = reader.of("outer")(lambda: past() + 1)
    for _ in range(2):
        outer()
    writer.put("17:00")
    outer()
    assert branches.computed == ["outer", "past"]
    writer.put("15:30")
    outer()
    assert branches.computed == ["outer", "past"] * 2


# While it is computed


@pytest.mark.parametrize(("written", "is_stored"), [("17:00", True), ("15:30", False)])
def test_p3_a_write_during_the_computation(branches: Branches, written: str, is_stored: bool) -> None:
    writer, reader = branches.all

    @reader.of("slow")
    def slow() -> int:
        number = len(reader.query("t BETWEEN :a AND :b", "15:00", "15:59")["Items"])
        if len(reader.computed) == 1:
            writer.put(written)
        return number

    slow()
    assert (reader.process.counts.stored, reader.process.counts.discarded) == ((1, 0) if is_stored else (0, 1))
    slow()
    assert len(branches.computed) == (1 if is_stored else 2)
    writer.put("15:40")
    slow()
    assert len(branches.computed) == (2 if is_stored else 3)


def test_p3_an_inner_result_that_changed_where_it_reads_makes_the_outer_one_incomplete(branches: Branches) -> None:
    writer, reader = branches.all
    past = reader.past()

    @reader.of("outer")
    def outer() -> tuple[int, int]:
        first = past()
        if len(reader.computed) == 2:
            writer.put("15:30")
        return first, len(reader.query("t BETWEEN :a AND :b", "15:00", "15:59")["Items"])

    outer()
    assert reader.process.counts.discarded == 1
    assert outer() == (4, 4)


def test_p4_a_write_beside_what_an_outer_and_an_inner_computation_read(branches: Branches) -> None:
    """Between the two: the outer one noted an older token than the inner one."""
    writer, reader = branches.all
    past = reader.past()

    @reader.of("outer")
    def outer() -> tuple[int, int]:
        first = len(reader.query("t BETWEEN :a AND :b", "15:00", "15:19")["Items"])
        writer.put("17:00")
        return first, past()

    outer()
    assert (reader.process.counts.stored, reader.process.counts.discarded) == (2, 0)
    outer()
    assert branches.computed == ["outer", "past"]
    for t in ("15:05", "15:55"):
        writer.put(t)
        outer()
    assert branches.computed.count("outer") == 3


# What a log remembers


def test_a_log_that_overflowed_tells_nothing_of_what_it_dropped(branches: Branches) -> None:
    writer, reader = branches.all
    past = reader.past()
    past()
    for number in range(MAX_LOG - 1):
        writer.put(f"17:{number:02}")
    past()
    assert branches.computed == ["past"]
    for number in range(MAX_LOG):
        writer.put(f"18:{number:02}")
    past()
    assert branches.computed == ["past", "past"], "it may have changed"


def test_a_result_that_is_read_meanwhile_outlives_any_number_of_writes_elsewhere(branches: Branches) -> None:
    writer, reader = branches.all
    past = reader.past()
    past()
    life = branches.world.server.data[branches.world.server.keys(":value")[0]][1]
    commands = []
    for number in range(10):
        for each in range(MAX_LOG // 2):
            writer.put(f"{17 + number}:{each}")
        branches.world.server.take()
        past()
        commands.append(branches.world.server.take())
    assert branches.computed == ["past"]
    assert commands == [["MGET", "SET"]] * 10, "it is saved once more with what it was compared with"
    assert branches.world.server.data[branches.world.server.keys(":value")[0]][1] == life, "for no longer"
    writer.put("15:30")
    past()
    assert branches.computed == ["past", "past"]


@NEAR
@pytest.mark.parametrize("tag", ["partition", "everything"])
def test_a_state_that_is_lost_counts_as_changed(branches: Branches, tag: str) -> None:
    _, reader = branches.all
    past = reader.past()
    past()
    reader.process.cache._near.clear()
    keyspace = reader.process.cache._keyspace
    keys = [keyspace.state(partition())] if tag == "partition" else branches.world.server.keys(":state")
    assert keys[0] in branches.world.server.data
    for key in keys:
        branches.world.server.evict(key)
    past()
    assert branches.computed == ["past", "past"]


def open_record(branches: Branches, extent: bytes, lasts: float = 60.0) -> bytes:
    """That of a write under way."""
    return b"I" * 16 + round((branches.world.clock() + lasts) * 1e6).to_bytes(8, "big") + extent


@pytest.mark.parametrize("state", ["of another format", "open", "open elsewhere", "past its deadline"])
def test_a_state_of_another_release(branches: Branches, state: str) -> None:
    """One that is not understood, and one under which a write is under way, are misses, and nothing is stored. A writer
    that died is not waited for beyond the deadline of its record."""
    _, reader = branches.all
    past = reader.past()
    past()
    server, key = branches.world.server, reader.process.cache._keyspace.state(partition())
    data, until = server.data[key]
    extent = b"\x00\x06S17:30\xff\xff" if state == "open elsewhere" else b"\x00\x06S15:30\xff\xff"
    lasts = -1.0 if state == "past its deadline" else 60.0
    opened = data[:11] + b"\x01" + data[12:] + open_record(branches, extent, lasts)
    server.data[key] = (b"\x02" + data[1:] if state == "of another format" else opened), until
    for _ in range(2):
        past()
    misses = 2 if state in ("of another format", "open") else 0
    assert len(branches.computed) == 1 + misses
    assert reader.process.counts.discarded == misses
    if misses:
        strengths = [params.get("ConsistentRead") for _, params in reader.client.dynamodb.sent[-2:]]
        assert strengths == [True, True], "it may be changing"
    server.data[key] = data, until
    past()
    assert len(branches.computed) == 1 + misses, "and then it is true again"


def test_p3_a_write_of_another_release_that_ends_while_a_computation_reads(branches: Branches) -> None:
    """It was under way as the state was noted, and leaves its token on top: what was read may be from before it."""
    _, reader = branches.all
    past = reader.past()
    past()
    server, key = branches.world.server, reader.process.cache._keyspace.state(partition())
    data, until = server.data[key]
    opened = data[:11] + b"\x01" + data[12:] + open_record(branches, b"\x00\x06S15:30\xff\xff")

    @reader.of("slow")
    def slow() -> int:
        number = len(reader.query("t BETWEEN :a AND :b", "15:00", "15:59")["Items"])
        server.data[key] = data, until
        return number

    server.data[key] = opened, until
    slow()
    assert reader.process.counts.discarded == 1
    slow()
    assert branches.computed == ["past", "slow", "slow"]
    slow()
    assert branches.computed == ["past", "slow", "slow"], "which read after it had ended"


def test_a_record_past_its_deadline_keeps_no_result_from_being_stored(branches: Branches) -> None:
    """Its request is over. What its writer changed may be new, so it is read strongly."""
    writer, reader = branches.all
    past = reader.past()
    writer.put("15:30")
    server, key = branches.world.server, reader.process.cache._keyspace.state(partition())
    data, until = server.data[key]
    reader.client.clock.now += WINDOW
    branches.world.clock.advance(WINDOW)
    server.data[key] = data[:11] + b"\x01" + data[12:] + open_record(branches, b"\x00\x06S15:30\xff\xff", -1.0), until
    for _ in range(2):
        past()
    assert reader.process.counts.stored == reader.process.counts.shared_hits == 1
    assert reader.client.dynamodb.sent[-1][1]["ConsistentRead"]


# The client's own cache


def test_p5_the_clients_own_cache_catches_up_by_range(branches: Branches) -> None:
    writer, reader = branches.all
    past = reader.past()
    later = reader.of("later")(lambda: len(reader.query("t >= :a", "16:00")["Items"]))
    past(), later()
    reader.client.clock.now += WINDOW
    past.refresh(), later.refresh()
    writer.put("17:00")
    reader.client.dynamodb.take()
    past.refresh()
    assert reader.client.dynamodb.sent == [], "the page of the past is a hit"
    assert later() == 4
    (sent,) = [params for _, params in reader.client.dynamodb.sent]
    assert sent["ConsistentRead"], "and what covers the change is read strongly"


def test_a_first_look_at_a_partition_reads_strongly_only_what_changed_lately(branches: Branches) -> None:
    writer, reader = branches.all
    writer.past()()
    branches.world.clock.advance(WINDOW)
    writer.put("17:00")
    reader.client.dynamodb.take()
    reader.of("p")(lambda: reader.query("t BETWEEN :a AND :b", "15:00", "15:58"))()
    reader.of("l")(lambda: reader.query("t >= :a", "16:00"))()
    assert [params.get("ConsistentRead", False) for _, params in reader.client.dynamodb.sent] == [False, True]


# A global index that settles


@pytest.mark.parametrize(("age", "kept"), [(0.0, 0.02), (0.5, 0.5), (2.4, 2.4), (3.0, 2.0), (4.9, 0.1), (5.0, 300.0)])
def test_a_result_of_an_index_is_kept_as_long_again_as_its_last_change_was_old(
    branches: Branches, age: float, kept: float
) -> None:
    writer, reader = branches.all
    clock = branches.world.clock
    total = reader.of("of group", jitter=0)(
        lambda: len(reader.query("t >= :a", "15:00", IndexName="by_group")["Items"])
    )
    writer.client.dynamodb.answers["PutItem"] = made(Attributes=item("15:10"))
    writer.put("15:10")
    clock.advance(age)
    total()
    clock.advance(kept - 0.001)
    total()
    assert branches.computed == ["of group"]
    clock.advance(0.002)
    total()
    assert branches.computed == ["of group"] * 2


def test_a_result_of_an_index_is_kept_in_full_if_the_change_lies_elsewhere(branches: Branches) -> None:
    writer, reader = branches.all
    total = reader.of("of group", jitter=0)(lambda: len(reader.query("t < :a", "15:00", IndexName="by_group")["Items"]))
    total()
    branches.world.clock.advance(WINDOW)
    writer.client.dynamodb.answers["PutItem"] = made(Attributes=item("15:10"))
    writer.put("15:10")
    total()
    total.refresh()
    branches.world.clock.advance(250)
    total()
    assert branches.computed == ["of group"] * 2


@pytest.mark.parametrize("is_there", [False, True])
def test_a_result_made_of_one_that_is_kept_briefly_is_kept_no_longer(branches: Branches, is_there: bool) -> None:
    writer, reader = branches.all
    inner = reader.of("inner", jitter=0)(lambda: len(reader.query("t >= :a", "15:00", IndexName="by_group")["Items"]))
    outer = reader.of("outer", jitter=0)(lambda: inner())
    writer.client.dynamodb.answers["PutItem"] = made(Attributes=item("15:10"))
    writer.put("15:10")
    branches.world.clock.advance(1)
    if is_there:
        inner()
        branches.world.clock.advance(0.5)
    outer()
    branches.world.clock.advance(0.51 if is_there else 1.01)
    outer()
    assert sorted(branches.computed) == ["inner", "inner", "outer", "outer"]


def test_an_unknown_change_is_one_of_everything(world: World) -> None:
    branches = Branches(world, 0)
    writer, reader = branches.all
    past = reader.past()
    past()
    writer.process.driver.drive(writer.process.cache.changed(None))
    past()
    assert branches.computed == ["past", "past"]


def test_the_extents_of_a_changed_tag_that_waits_are_taken_together(world: World) -> None:
    branches = Branches(world, 0)
    writer, reader = branches.all
    past = reader.past()
    past()
    with world.server.down():
        writer.put("15:30")
        writer.put("17:00")
    writer.process.cache._outbox.try_again()
    past()
    assert branches.computed == ["past", "past"]
