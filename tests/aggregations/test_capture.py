"""What a computation reads through a wrapped client, and nothing else, makes its result stale when it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from daxlite import TableSchema
from daxlite.aggregations import Dependency, on_item, on_partition, on_table
from daxlite.aggregations.capture.capture import MAX_TAGS
from daxlite.cache.listeners import remove_change_listener
from daxlite.core.schema import item_key
from daxlite.core.tags import item_tag, table_tag
from daxlite.shared.tags import shared_tag, shared_tags
from tests.aggregations.scripted import Counted, Process, World
from tests.calls.scripted import ITEM, KEY, SCHEMA, SCOPE, TABLE, Lab, made, page
from tests.calls.test_dependencies import OTHER, READS, T, laboratory

WITH_INDEX: dict[str, Any] = {
    "schema": TableSchema(SCHEMA.key, SCHEMA.global_indexes),
    "config": {"settle_window": 5.0},
    "PutItem": made(),
    "Query": page(ITEM),
}


def done(*responses: Any) -> None:
    """What they are does not matter."""


def captured(process: Process, function: Callable[[], Any], **options: Any) -> tuple[Any, set[bytes]]:
    """The result, and what it was stored to depend on beside what each result depends on."""
    cached = process.cache.cached(name="f", **options)(function)
    request = cached._known.request((), {})
    result = cached()
    return result, set(process.cache._engine.store.hint(request.key)) - set(request.tags)


@pytest.mark.parametrize("name", READS)
def test_a_result_depends_on_what_its_computation_reads(world: World, name: str) -> None:
    read, expected = READS[name]
    lab, process = laboratory(), world.process()

    def reading() -> int:
        try:
            read(lab)
        except Exception:  # noqa: BLE001 - a request that DynamoDB would refuse
            return 0
        return 1

    _, tags = captured(process, reading)
    if expected is None:
        assert (process.counts.stored, process.counts.discarded) == (0, 1), "nobody can tell what it depends on"
    else:
        assert tags == set(shared_tags(expected))
        assert process.counts.stored == 1


@pytest.mark.parametrize("name", ["get", "query", "query of an index", "scan", "batch"])
def test_a_hit_of_the_local_cache_depends_on_the_same(world: World, name: str) -> None:
    read, expected = READS[name]
    lab = laboratory()
    read(lab)
    read(lab)
    lab.dynamodb.take()
    _, tags = captured(world.process(), lambda: read(lab) and None)
    assert tags == set(shared_tags(expected))


def test_within_the_computation_the_local_cache_still_answers(world: World) -> None:
    """What it has from before may be older than a change that this process never heard of; from then on it is known."""
    lab, process = laboratory(), world.process()
    total = process.cache.cached(name="f")(lambda: done(*[lab.get() for _ in range(5)]))
    total()
    assert lab.dynamodb.take() == ["GetItem"]
    process.cache.clear()
    total()
    assert process.counts.computations == 2
    assert lab.dynamodb.take() == [], "nothing changed, so what it has is true"


WRITES: dict[str, tuple[Callable[[Lab], Any], bool]] = {
    "the item": (lambda lab: lab.put(), True),
    "deleted": (lambda lab: lab("DeleteItem", Key=KEY), True),
    "another item": (lambda lab: lab.put({**ITEM, **OTHER}), False),
    "in a batch": (lambda lab: lab("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": ITEM}}]}), True),
    "the table": (lambda lab: lab("DeleteTable"), True),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("near_bytes", [0, 1_000_000])
def test_a_write_through_a_wrapped_client_makes_it_stale_here_and_elsewhere(
    world: World, write: str, near_bytes: int
) -> None:
    act, is_concerned = WRITES[write]
    here, there = world.process(near_bytes=near_bytes), world.process(near_bytes=near_bytes)
    remove_change_listener(there.cache)  # it is another process
    lab, calls = laboratory(), []

    def reading() -> int:
        calls.append(lab.get())
        return len(calls)

    totals = [process.cache.cached(name="f")(reading) for process in (here, there)]
    for _ in range(3):
        assert [total() for total in totals] == [1, 1]
    act(lab)
    expected = 2 if is_concerned else 1
    assert [total() for total in totals] == [expected, expected]


def test_p3_a_write_within_the_computation_to_what_it_read(world: World) -> None:
    lab, process = laboratory(), world.process()
    captured(process, lambda: done(lab.get(), lab.put()))
    assert (process.counts.stored, process.counts.discarded) == (0, 1)


def test_a_write_within_the_computation_to_something_else_does_not_matter(world: World) -> None:
    lab, process = laboratory(), world.process()
    captured(process, lambda: done(lab.get(), lab.put({**ITEM, **OTHER})))
    assert (process.counts.stored, process.counts.discarded) == (1, 0)


def test_a_write_within_the_computation_before_it_reads_is_what_it_reads(world: World) -> None:
    lab, process = laboratory(), world.process()
    captured(process, lambda: done(lab.put(), lab.get()))
    assert process.counts.stored == 1


def test_p3_a_write_of_another_process_while_it_computes(world: World) -> None:
    process, other = world.process(), world.process()
    here, there = laboratory(), laboratory()
    remove_change_listener(process.cache)
    captured(process, lambda: done(here.get(), there.put()))
    assert (process.counts.stored, process.counts.discarded) == (0, 1)
    assert other.counts.discarded == 0


def test_what_reads_very_much_depends_on_the_table(world: World) -> None:
    lab, process, calls = laboratory(), world.process(), []

    def reading() -> int:
        for number in range(MAX_TAGS + 50):
            lab.get(Key={"pk": {"S": str(number)}})
        calls.append(1)
        return len(calls)

    total = process.cache.cached(name="f")(reading)
    assert total() == total() == 1
    tags = process.cache._engine.store.hint(total._known.request((), {}).key)
    assert len(tags) <= MAX_TAGS + 5
    lab.put({"pk": {"S": "3"}})
    assert total() == 2, "one of those that were noted"
    lab.put({"pk": {"S": str(MAX_TAGS + 40)}})
    assert total() == 3, "one of those that were not"
    lab.put({"pk": {"S": "one that it did not read"}})
    assert total() == 4, "it depends on the whole table"


def test_capture_can_be_switched_off(world: World) -> None:
    lab, process, calls = laboratory(), world.process(), []

    def reading() -> int:
        calls.append(lab.get())
        return len(calls)

    total = process.cache.cached(name="f", capture=False, depends_on=[on_table("Another")])(reading)
    assert total() == 1
    lab.put()
    assert total() == 1
    lab.put(TableName="Another")
    assert total() == 2


BY_HAND: dict[str, tuple[Dependency | str, bool]] = {
    "the table": (on_table(TABLE), True),
    "another table": (on_table("Another"), False),
    "the item": (on_item(TABLE, {"pk": "a"}), True),
    "the item, typed": (on_item(TABLE, KEY), True),
    "another item": (on_item(TABLE, {"pk": "b"}), False),
    "the partition": (on_partition(TABLE, {"pk": "a"}), True),
    "another partition": (on_partition(TABLE, {"pk": "b"}), False),
    "a partition of an index": (on_partition(TABLE, {"owner": "ann"}, index="by_owner"), True),
    "a tag": ("orders", False),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_dependencies_by_hand(world: World, name: str) -> None:
    dependency, is_concerned = BY_HAND[name]
    lab, process, function = laboratory(), world.process(), Counted()
    total = process.cache.cached(depends_on=[dependency])(function)
    total()
    lab.put()
    total()
    assert function.calls == 1 + is_concerned


@pytest.mark.parametrize(
    "make",
    [
        lambda: on_table(""),
        lambda: on_table("arn:aws:dynamodb:eu-west-1:1:table/T"),
        lambda: on_item(TABLE, {}),
        lambda: on_item(TABLE, {"pk": True}),
        lambda: on_item(TABLE, "a"),  # type: ignore[arg-type]
        lambda: on_partition(TABLE, {"pk": "a"}, index=""),
        lambda: on_partition(TABLE, {"pk": None}),
    ],
)
def test_a_dependency_that_is_none_is_an_error_where_it_is_written(make: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"\w"):
        make()


# What the local caches know


def test_what_the_local_cache_has_from_before_a_change_elsewhere_is_not_computed_with(world: World) -> None:
    here, there = world.process(), world.process()
    reader, writer = laboratory(), laboratory()
    remove_change_listener(here.cache)
    values = {"note": {"S": "old"}}
    reader.dynamodb.answers["GetItem"] = lambda params: made(Item={**KEY, **values})
    total = here.cache.cached(name="f")(lambda: reader.get()["Item"]["note"]["S"])
    assert total() == "old"
    values["note"] = {"S": "new"}
    writer.put()  # another process: this one's cache still has the old item
    assert reader.get()["Item"]["note"]["S"] == "old"
    assert total() == "new"
    assert reader.get()["Item"]["note"]["S"] == "new", "and it has learned of it"
    assert there.cache.stats().faults == 0


def test_the_first_computation_trusts_nothing_that_the_local_cache_has(world: World) -> None:
    process, lab = world.process(), laboratory()
    lab.get()
    lab.dynamodb.take()
    captured(process, lambda: lab.get() and None)
    assert lab.dynamodb.take() == ["GetItem"]


def test_each_cache_is_known_by_itself(world: World) -> None:
    process, labs = world.process(), [laboratory(), laboratory()]
    for lab in labs:
        lab.get()
        lab.dynamodb.take()
    total = process.cache.cached(name="f")(lambda lab: labs[lab].get() and None)
    for number, lab in enumerate(labs):
        total(number)
        assert lab.dynamodb.take() == ["GetItem"]


def test_while_redis_is_down_the_local_cache_is_not_trusted_either(world: World) -> None:
    process, lab = world.process(), laboratory()
    total = process.cache.cached(name="f")(lambda: lab.get() and None)
    total()
    lab.dynamodb.take()
    with world.server.down():
        process.cache._near.clear()
        total()
    assert lab.dynamodb.take() == ["GetItem"]
    assert process.counts.stored == 1


def test_p7_redis_fails_while_a_computation_reads(world: World) -> None:
    process, lab = world.process(), laboratory()

    def reading() -> str:
        lab.get()
        with world.server.down():
            lab.query()
        return "right"

    result, _ = captured(process, reading)
    assert result == "right"
    assert process.counts.stored == 0
    assert not world.server.keys(":lock")


def test_a_computation_of_no_reads_depends_on_nothing_more(world: World) -> None:
    assert captured(world.process(), lambda: 1) == (1, set())


def test_what_is_read_outside_of_computations_is_nobodys(world: World) -> None:
    process, lab = world.process(), laboratory()
    lab.get()
    world.server.take()
    lab.get()
    lab.query()
    assert world.server.take() == []
    assert process.counts.computations == 0


def test_shared_tags_of_what_is_read_and_of_what_is_written_are_the_same() -> None:
    item = item_tag(T, item_key(KEY))
    elsewhere = replace(T, owner=("account", "9"), region="us-east-1", endpoint="")
    assert shared_tag(item) == shared_tag(replace(item, table=elsewhere))
    assert shared_tag(table_tag(T)) != shared_tag(item)
    assert SCOPE is not None
