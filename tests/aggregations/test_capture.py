"""What a computation reads through a wrapped client, and nothing else, makes its result stale when it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daxlite import KeySchema, TableConfig, TableSchema
from daxlite.aggregations import Dependency, on_item, on_partition, on_table
from daxlite.aggregations.capture.capture import MAX_TAGS
from daxlite.cache.indexes import hash_of
from daxlite.calls.listeners import remove_change_listener
from daxlite.core.schema import item_key
from daxlite.core.tables import Place, table_id
from daxlite.core.tags import item_tag, table_tag
from daxlite.shared.tags import shared_tag
from tests.aggregations.scripted import Counted, Process, World, shared_of
from tests.calls.test_dependencies import OTHER, READS, T
from tests.scripted_client import ITEM, KEY, SCHEMA, SCOPE, TABLE, ScriptedClient, answering_client, made, page

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
    return result, set(process.cache._engine.store.expected_tags(request.key)) - set(request.tags)


@pytest.mark.parametrize("name", READS)
def test_a_result_depends_on_what_its_computation_reads(world: World, name: str) -> None:
    read, expected = READS[name]
    client, process = answering_client(), world.process()

    def reading() -> int:
        try:
            read(client)
        except Exception:  # noqa: BLE001 - a request that DynamoDB would refuse
            return 0
        return 1

    _, tags = captured(process, reading)
    if expected is None:
        assert (process.counts.stored, process.counts.discarded) == (0, 1), "it cannot be told what it depends on"
    else:
        assert tags == shared_of(expected)
        assert process.counts.stored == 1


@pytest.mark.parametrize("name", ["get", "query", "query of an index", "scan", "batch"])
def test_a_hit_of_the_local_cache_depends_on_the_same(world: World, name: str) -> None:
    read, expected = READS[name]
    client = answering_client()
    read(client)
    read(client)
    client.dynamodb.take()
    _, tags = captured(world.process(), lambda: read(client) and None)
    assert tags == shared_of(expected)


def test_within_the_computation_the_local_cache_still_answers(world: World) -> None:
    """What it has from before may be older than a change that this process never heard of; from then on it is known."""
    client, process = answering_client(), world.process()
    total = process.cache.cached(name="f")(lambda: done(*[client.get() for _ in range(5)]))
    total()
    assert client.dynamodb.take() == ["GetItem"]
    process.cache.clear()
    total()
    assert process.counts.computations == 2
    assert client.dynamodb.take() == [], "nothing changed, so what it has is true"


WRITES: dict[str, tuple[Callable[[ScriptedClient], Any], bool]] = {
    "the item": (lambda client: client.put(), True),
    "deleted": (lambda client: client("DeleteItem", Key=KEY), True),
    "another item": (lambda client: client.put({**ITEM, **OTHER}), False),
    "in a batch": (
        lambda client: client("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": ITEM}}]}),
        True,
    ),
    "the table": (lambda client: client("DeleteTable"), True),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("near_bytes", [0, 1_000_000])
def test_a_write_through_a_wrapped_client_makes_it_stale_here_and_elsewhere(
    world: World, write: str, near_bytes: int
) -> None:
    act, is_concerned = WRITES[write]
    here, there = world.process(near_bytes=near_bytes), world.process(near_bytes=near_bytes)
    remove_change_listener(there.cache)  # it is another process
    client, calls = answering_client(), []

    def reading() -> int:
        calls.append(client.get())
        return len(calls)

    totals = [process.cache.cached(name="f")(reading) for process in (here, there)]
    for _ in range(3):
        assert [total() for total in totals] == [1, 1]
    act(client)
    expected = 2 if is_concerned else 1
    assert [total() for total in totals] == [expected, expected]


def test_p3_a_write_within_the_computation_to_what_it_read(world: World) -> None:
    client, process = answering_client(), world.process()
    captured(process, lambda: done(client.get(), client.put()))
    assert (process.counts.stored, process.counts.discarded) == (0, 1)


def test_a_write_within_the_computation_to_something_else_does_not_matter(world: World) -> None:
    client, process = answering_client(), world.process()
    captured(process, lambda: done(client.get(), client.put({**ITEM, **OTHER})))
    assert (process.counts.stored, process.counts.discarded) == (1, 0)


def test_a_write_within_the_computation_before_it_reads_is_what_it_reads(world: World) -> None:
    client, process = answering_client(), world.process()
    captured(process, lambda: done(client.put(), client.get()))
    assert process.counts.stored == 1


def test_p3_a_write_of_another_process_while_it_computes(world: World) -> None:
    process, other = world.process(), world.process()
    here, there = answering_client(), answering_client()
    remove_change_listener(process.cache)
    captured(process, lambda: done(here.get(), there.put()))
    assert (process.counts.stored, process.counts.discarded) == (0, 1)
    assert other.counts.discarded == 0


def test_what_reads_very_much_depends_on_the_table(world: World) -> None:
    client, process, calls = answering_client(), world.process(), []

    def reading() -> int:
        for number in range(MAX_TAGS + 50):
            client.get(Key={"pk": {"S": str(number)}})
        calls.append(1)
        return len(calls)

    total = process.cache.cached(name="f")(reading)
    assert total() == total() == 1
    tags = process.cache._engine.store.expected_tags(total._known.request((), {}).key)
    assert len(tags) <= MAX_TAGS + 5
    client.put({"pk": {"S": "3"}})
    assert total() == 2, "one of those that were noted"
    client.put({"pk": {"S": str(MAX_TAGS + 40)}})
    assert total() == 3, "one of those that were not"
    client.put({"pk": {"S": "one that it did not read"}})
    assert total() == 4, "it depends on the whole table"


def test_capture_can_be_switched_off(world: World) -> None:
    client, process, calls = answering_client(), world.process(), []

    def reading() -> int:
        calls.append(client.get())
        return len(calls)

    total = process.cache.cached(name="f", capture=False, depends_on=[on_table("Another")])(reading)
    assert total() == 1
    client.put()
    assert total() == 1
    client.put(TableName="Another")
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
    client, process, function = answering_client(), world.process(), Counted()
    total = process.cache.cached(depends_on=[dependency])(function)
    total()
    client.put()
    total()
    assert function.calls == 1 + is_concerned


@pytest.mark.parametrize(
    "make",
    [
        lambda: on_table(""),
        lambda: on_table("arn:aws:s3:eu-west-1:1:table/T"),
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
    reader, writer = answering_client(), answering_client()
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
    process, client = world.process(), answering_client()
    client.get()
    client.dynamodb.take()
    captured(process, lambda: client.get() and None)
    assert client.dynamodb.take() == ["GetItem"]


def test_each_cache_is_known_by_itself(world: World) -> None:
    process, clients = world.process(), [answering_client(), answering_client()]
    for client in clients:
        client.get()
        client.dynamodb.take()
    total = process.cache.cached(name="f")(lambda client: clients[client].get() and None)
    for number, client in enumerate(clients):
        total(number)
        assert client.dynamodb.take() == ["GetItem"]


def test_while_redis_is_down_the_local_cache_is_not_trusted_either(world: World) -> None:
    process, client = world.process(), answering_client()
    total = process.cache.cached(name="f")(lambda: client.get() and None)
    total()
    client.dynamodb.take()
    with world.server.down():
        process.cache._near.clear()
        total()
    assert client.dynamodb.take() == ["GetItem"]
    assert process.counts.stored == 1


def test_p7_redis_fails_while_a_computation_reads(world: World) -> None:
    process, client = world.process(), answering_client()

    def reading() -> str:
        client.get()
        with world.server.down():
            client.query()
        return "right"

    result, _ = captured(process, reading)
    assert result == "right"
    assert process.counts.stored == 0
    assert not world.server.keys(":lock")


def test_a_computation_of_no_reads_depends_on_nothing_more(world: World) -> None:
    assert captured(world.process(), lambda: 1) == (1, set())


def test_what_is_read_outside_of_computations_is_not_captured(world: World) -> None:
    process, client = world.process(), answering_client()
    client.get()
    world.server.take()
    client.get()
    client.query()
    assert world.server.take() == []
    assert process.counts.computations == 0


def test_shared_tags_of_what_is_read_and_of_what_is_written_are_the_same() -> None:
    item = item_tag(T, item_key(KEY))
    elsewhere = table_id(SCOPE._replace(credentials="other", account="999999999999"), TABLE).place
    assert shared_tag(item, hash_of) == shared_tag(item_tag(elsewhere, item_key(KEY)), hash_of)
    assert shared_tag(table_tag(T), hash_of) != shared_tag(item, hash_of)


def test_p5_tables_of_two_accounts_whose_keys_are_the_other_way_round() -> None:
    """A process that knows but one of them names an item by its partition key; one that knows both, by either."""
    item = item_tag(Place(SCOPE.region, "Swapped"), item_key({"a": {"S": "1"}, "b": {"S": "2"}}))
    named: list[tuple[bytes, ...]] = []
    clients = []
    for account, schema in (("1" * 12, KeySchema.of("a", "b")), ("2" * 12, KeySchema.of("b", "a"))):
        config = {"tables": {"Swapped": TableConfig(schema=TableSchema(schema))}}
        clients.append(ScriptedClient(config=config, scope=SCOPE._replace(account=account), GetItem=made()))
        clients[-1].get(TableName="Swapped", Key={"a": {"S": "1"}, "b": {"S": "2"}})
        named.append(shared_tag(item, hash_of))
    assert [len(names) for names in named] == [1, 2]
    assert {*named[1]} == {*shared_tag(item, lambda _: "a"), *shared_tag(item, lambda _: "b")}
