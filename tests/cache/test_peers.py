"""The caches of one process: a change that one of them makes or learns of reaches the others before it returns."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import boto3
import pytest

import daxlite
from daxlite import CacheConfig, TableConfig
from daxlite.cache import peers
from daxlite.cache.lock import Reentered
from daxlite.cache.state import State
from daxlite.calls.listeners import add_change_listener, remove_change_listener
from daxlite.core.changes import Change
from daxlite.core.requests import ItemRead, PageRead
from daxlite.core.schema import KeySchema, TableSchema, item_key
from daxlite.core.tags import item_tag, scan_tag, table_tag
from daxlite.core.values import canonical_item
from tests.cache_bench import ITEM, KEY, NEW, OLD, PLACE, CacheBench
from tests.cache_fixtures import process
from tests.calls.listening import ChangeRecorder
from tests.calls.test_interruptions import is_daxlites, warmed
from tests.forking import in_child
from tests.interrupting import Limit, interrupted
from tests.responses import is_hit
from tests.scripted_client import TABLE, ScriptedClient, description, made, page, refused
from tests.wrapping.wire import HERE, answer

OTHER = {"pk": {"S": "b"}}


@pytest.fixture(autouse=True)
def one_process() -> Iterator[None]:
    with process():
        yield


# Every kind of change

CHANGES: dict[str, Callable[[CacheBench], Any]] = {
    "a write": lambda bench: bench.write(NEW),
    "apply": lambda bench: bench.memory.apply(Change(PLACE, KEY)),
    "apply to the table": lambda bench: bench.memory.apply(Change(PLACE)),
    "invalidate": lambda bench: bench.cache.invalidate("T"),
    "invalidate an item": lambda bench: bench.cache.invalidate("T", KEY),
    "invalidate all": lambda bench: bench.memory.invalidate_all(),
    "forget": lambda bench: bench.memory.forget(bench.table),
    "another key is learned": lambda bench: bench.memory.learn_key(bench.table, {"id"}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_p2_a_change_through_one_cache_reaches_the_others(change: Callable[[CacheBench], Any]) -> None:
    benches = [CacheBench(settle_window=0) for _ in range(3)]
    for bench in benches:
        bench.fill()
        bench.fill_page(index=None, owner="a")
    change(benches[1])
    for bench in (benches[0], benches[2]):
        assert bench.get() == "unknown"
        assert not bench.has_page()


def test_a_description_of_another_table_reaches_the_others() -> None:
    one, two = CacheBench(), CacheBench(tables={})
    two.fill()
    other = TableSchema(KeySchema.of("id"))
    with one.memory.read_flight(one.table, None) as flight:
        one.memory.describe(one.table, other, None, flight)
    assert two.get() == "unknown"


def test_what_changes_nothing_elsewhere_stays_here() -> None:
    one, two = CacheBench(), CacheBench()
    one.fill()
    two.fill()
    one.cache.clear()
    one.memory.invalidate_all(everywhere=False)
    assert (one.get(), two.get()) == ("unknown", OLD)


def test_p4_another_item_stays() -> None:
    one, two = CacheBench(), CacheBench()
    two.fill({**OTHER}, OTHER)
    two.fill_page(index=None, owner="b")
    one.write(NEW)
    assert two.get(OTHER) == OTHER
    assert two.has_page()


def test_a_key_that_does_not_fit_what_another_cache_knows_drops_the_table_there() -> None:
    knowing, other = CacheBench(), CacheBench(tables={})
    knowing.fill()
    other.cache.invalidate("T", {"id": {"S": "a"}})
    assert knowing.get() == "unknown"


def test_a_change_bumps_what_any_cache_knows_each_tag_once() -> None:
    """An aggregation may have read through the cache that knows the index."""
    knowing, other = CacheBench(), CacheBench(tables={})
    assert not knowing.memory.is_alone
    item = canonical_item(ITEM)
    bumped = other.memory.apply(Change(PLACE, KEY, item, item))
    assert len(bumped) == len(set(bumped))
    assert {item_tag(PLACE, item_key(KEY)), scan_tag(PLACE, None), scan_tag(PLACE, "g"), table_tag(PLACE)} <= {*bumped}
    assert any(tag.kind == "partition" and tag.index_name == "g" for tag in bumped)
    assert table_tag(PLACE) not in knowing.memory.apply(Change(PLACE, KEY, item, item)), "the other knows no schema"


def test_an_aggregation_hears_of_an_index_that_only_another_cache_knows() -> None:
    changes = ChangeRecorder()
    reader = ScriptedClient(Query=page(ITEM))
    reader.by_owner("ann")
    writer = ScriptedClient(schema=None, DescribeTable=refused("AccessDeniedException"), DeleteItem=made())
    add_change_listener(changes)
    try:
        writer("DeleteItem", Key=KEY)
    finally:
        remove_change_listener(changes)
    heard = {tag for tags in changes.take() for tag in tags or ()}
    assert scan_tag(reader.dispatcher.context.table(TABLE).place, "by_owner") in heard


def test_p2_a_write_through_a_client_with_the_table_switched_off_reaches_the_others() -> None:
    reader = ScriptedClient(GetItem=made(Item=ITEM))
    writer = ScriptedClient(config={"tables": {TABLE: TableConfig(enabled=False)}}, PutItem=made())
    reader.get()
    writer.put({**ITEM, "note": {"S": "new"}})
    assert not reader.is_hit(reader.get())


# Overlaps


def test_p3_a_read_through_one_cache_that_overlaps_a_write_through_another_is_not_stored() -> None:
    one, two = CacheBench(), CacheBench()
    with two.flight() as item, two.memory.read_flight(two.table, PageRead("scan", None, b"q", {})) as scan:
        one.write(NEW)
        item.fill(item.item(item_key(KEY), OLD))
        scan.fill(scan.page("scan", b"q", {"Count": 0}))
    assert two.get() == "unknown"
    assert not two.has_page(kind="scan")


def test_p3_two_writes_that_overlap_through_two_caches_leave_no_entry() -> None:
    one, two = CacheBench(), CacheBench()
    with one.writing() as first, two.writing() as second:
        first.apply(Change(PLACE, KEY, new=NEW))
        second.apply(Change(PLACE, KEY, new=OLD))
    assert (one.get(), two.get()) == ("unknown", "unknown")


@pytest.mark.usefixtures("threads")
def test_p3_a_reader_does_not_join_a_leader_from_before_a_change_through_another_cache() -> None:
    one, two = CacheBench(), CacheBench()
    key = two.table.item(item_key(KEY))
    with two.memory.read_flight(two.table, ItemRead(item_key(KEY)), key) as leader:
        leader.start_or_follow()
        one.write(NEW)
        with two.memory.read_flight(two.table, ItemRead(item_key(KEY)), key) as reader:
            assert reader.start_or_follow() is None


# Settling


def test_p2_what_settles_settles_in_all_caches() -> None:
    one, two = CacheBench(settle_window=5), CacheBench(settle_window=5)
    one.write(NEW)
    for bench, key, settles in ((two, KEY, True), (two, OTHER, False)):
        with bench.flight(key) as flight:
            assert flight.is_settling is settles


@pytest.mark.parametrize("window", [0, 5], ids=["which had no window", "which had the same window"])
def test_p2_a_new_cache_learns_what_settles_in_an_older_one(window: float) -> None:
    old = CacheBench(settle_window=window)
    old.write(NEW)
    old.clock.now += 3
    new = CacheBench(settle_window=5)  # with a clock of its own
    with new.flight() as flight:
        assert flight.is_settling
    changes, now = new.memory._state.changes, new.clock.now
    assert changes.settles_for([item_tag(PLACE, item_key(KEY))], now) == pytest.approx(2)
    stranger = item_tag(PLACE, item_key(OTHER))
    assert changes.settles_for([stranger], now) == pytest.approx(2 if window == 0 else 0), "only what is settling"


def test_p2_a_new_cache_learns_that_anything_may_settle() -> None:
    old = CacheBench(settle_window=5)
    old.memory.invalidate_all()
    with CacheBench(settle_window=5).flight() as flight:
        assert flight.is_settling


# Locks, collection, forks, interruptions


def test_no_two_locks_are_held_together() -> None:
    benches = [CacheBench() for _ in range(3)]
    states = [bench.memory._state for bench in benches]
    held: list[int] = []
    for bench in benches:
        apply = bench.memory._state.apply

        def watched(change: Change, *, apply: Any = apply, **options: Any) -> Any:
            held.append(sum(state._lock._mutex._is_owned() for state in states))  # type: ignore[attr-defined]
            return apply(change, **options)

        bench.memory._state.apply = watched  # type: ignore[method-assign]
    benches[0].write(NEW)
    benches[1].memory.apply(Change(PLACE, KEY))
    assert held == [1] * 6


def test_a_change_within_anothers_lock_goes_through_and_drops_that_cache() -> None:
    one, two = CacheBench(), CacheBench()
    two.fill()
    with two.memory._state.locked():
        bumped = one.write(NEW)  # as a signal handler would
    assert table_tag(PLACE) in bumped, "what the other one knows could not be asked"
    assert two.get() == "unknown"
    assert one.get() == NEW


def test_a_change_within_its_own_lock_drops_all_caches() -> None:
    one, two = CacheBench(), CacheBench()
    one.fill()
    two.fill()
    with one.memory._state.locked():
        with pytest.raises(Reentered):
            one.memory.apply(Change(PLACE, KEY))
        one.cache.invalidate("T")
    assert (one.get(), two.get()) == ("unknown", "unknown")


def test_threads_that_write_through_two_caches_do_not_wait_for_each_other() -> None:
    benches = [CacheBench(), CacheBench()]

    def work(bench: CacheBench) -> None:
        for _ in range(300):
            bench.write(NEW)

    threads = [threading.Thread(target=work, args=(bench,), daemon=True) for bench in benches * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), "a deadlock"


def test_a_cache_that_is_gone_is_told_nothing() -> None:
    config = CacheConfig()
    state = State(config, lambda: 0.0, lambda: 0.0, lambda: 0.0)
    registry = peers.Peers()
    registry.join(state)
    other = State(config, lambda: 0.0, lambda: 0.0, lambda: 0.0)
    registry.join(other)
    assert list(state.others()) == [other]
    del other
    gc.collect()
    assert list(state.others()) == []
    assert registry.states() == [state]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_in_a_child_all_caches_are_empty_and_hear_of_each_other() -> None:
    one, two = CacheBench(), CacheBench()
    one.fill()
    two.fill()

    def check() -> None:
        assert (one.get(), two.get()) == ("unknown", "unknown")
        two.fill()
        one.write(NEW)
        assert two.get() == "unknown"

    in_child(check)
    assert (one.get(), two.get()) == (OLD, OLD)


INTERRUPTED: dict[str, Callable[[ScriptedClient], Any]] = {
    "a put": lambda client: client.put({**ITEM, "note": {"S": "new"}}),
    "a batch of writes": lambda client: client(
        "BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": {**ITEM, "note": {"S": "new"}}}}]}
    ),
    "a statement": lambda client: client("ExecuteStatement", Statement='DELETE FROM "T"'),
}


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("call", INTERRUPTED)
def test_p7_a_write_that_is_interrupted_at_any_moment_leaves_no_other_cache_behind(call: str) -> None:
    for number in count():
        with process():
            client, state = warmed()
            reader, _ = warmed()
            reader.dynamodb.answers["GetItem"] = lambda params, state=state: made(Item=state.item)
            reader.get()
        error = interrupted(lambda client=client: INTERRUPTED[call](client), is_daxlites, number)  # type: ignore[misc]
        if error is None:
            break
        assert isinstance(error, Limit)
        assert reader.get()["Item"] == state.item, f"moment {number}"
    assert number > 20


@pytest.mark.usefixtures("no_collection")
def test_p7_a_read_that_learns_of_another_key_and_is_interrupted_leaves_no_other_cache_behind() -> None:
    for number in count():
        with process():
            one, two = CacheBench(), CacheBench()
        one.fill()
        two.fill()
        error = interrupted(lambda one=one: one.memory.learn_key(one.table, {"id"}), is_daxlites, number)  # type: ignore[misc]
        if error is None:
            break
        if one.get() == "unknown":
            assert two.get() == "unknown", f"moment {number}"
    assert number > 10


@pytest.mark.faults_expected
def test_p7_a_fault_of_a_read_leaves_the_other_caches_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = ScriptedClient(GetItem=made(Item=ITEM)), ScriptedClient(GetItem=made(Item=ITEM))
    two.get()
    monkeypatch.setattr(one.memory, "read_flight", lambda *args: 1 / 0)
    assert one.get()["Item"] == ITEM
    assert one.cache.stats().faults == 1
    assert two.is_hit(two.get())


# Clients of boto3


def test_p2_two_wrapped_clients_and_a_resource_see_each_others_writes() -> None:
    clients = [boto3.client("dynamodb", **HERE) for _ in range(2)]
    resource = boto3.resource("dynamodb", **HERE)
    item: dict[str, Any] = {"pk": {"S": "a"}, "v": {"N": "1"}}

    def put(params: Any) -> Any:
        item.update(params["Item"])
        return made()

    for client in (*clients, resource.meta.client):
        answer(
            client,
            DescribeTable=description("pk", arn=None),
            GetItem=lambda _: made(Item=dict(item)),
            Query=lambda _: page(dict(item)),
            PutItem=put,
        )
    one, two = (daxlite.wrap(client) for client in clients)
    table = daxlite.wrap(resource).Table(TABLE)
    query = {"KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": KEY["pk"]}}
    values: list[Any] = []
    for number, write in enumerate(
        [
            lambda n: one.put_item(TableName=TABLE, Item={**KEY, "v": {"N": str(n)}}),
            lambda n: table.put_item(Item={"pk": "a", "v": n}),
            lambda n: two.put_item(TableName=TABLE, Item={**KEY, "v": {"N": str(n)}}),
        ]
    ):
        write(number)
        for _ in range(2):
            values = [
                one.get_item(TableName=TABLE, Key=KEY)["Item"]["v"]["N"],
                two.get_item(TableName=TABLE, Key=KEY)["Item"]["v"]["N"],
                two.query(TableName=TABLE, **query)["Items"][0]["v"]["N"],
                str(table.get_item(Key={"pk": "a"})["Item"]["v"]),
            ]
            assert values == [str(number)] * 4
    assert is_hit(two.query(TableName=TABLE, **query)), "they cache"
    for client in (*clients, resource.meta.client):
        client.close()
