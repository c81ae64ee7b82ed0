"""Aggregations of processes that share a tier: a write by any of them makes dependent results stale (promises P3, P4).

A process without an AggregationCache of its own begins and finishes its writes at the tier, under the same states.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import daxlite
from daxlite import Cache, CacheConfig, Shared
from daxlite.aggregations import AggregationCache, AggregationConfig, on_item, on_partition, on_table
from daxlite.calls.listeners import add_change_listener, remove_change_listener
from daxlite.core.extents import EVERYTHING
from daxlite.core.schema import item_key, partition_value
from daxlite.core.tables import table_id
from daxlite.core.tags import item_tag, partition_tag, scan_tag
from daxlite.edges.scope import scope_of
from daxlite.shared.errors import Unavailable
from daxlite.shared.keyspace import Keyspace
from daxlite.shared.scripts import begin, begins, finish
from daxlite.shared.tags import shared_tag
from tests.aggregations.servers.waiting import wait_until
from tests.simulated_client import INDEX, KEY, NEW, OLD, SHAPE, TABLE
from tests.simulator import Simulator
from tests.valkey import Valkey

ACCOUNT = "123456789012"
LATER = {**NEW, "v": {"N": "3"}}


class Member:
    """A process that shares the tier, and has no AggregationCache."""

    def __init__(self, shop: "Shop", **shared: Any) -> None:
        self.shop = shop
        given = {"namespace": shop.namespace, "account": ACCOUNT, "budget": 5.0, **shared}
        self.cache = Cache(CacheConfig(jitter=0), shared=Shared(given.pop("server", shop.valkey.url), **given))
        self.client = daxlite.wrap(shop.raw, self.cache)

    def put(self, item: Any = NEW) -> None:
        """A write that no AggregationCache of this process hears of."""
        with self.shop.unheard():
            self.client.put_item(TableName=TABLE, Item=item)

    def get(self) -> Any:
        return self.client.get_item(TableName=TABLE, Key=KEY)


class Shop:
    """A table, a Valkey, and processes."""

    def __init__(self, simulator: Simulator, raw: Any, valkey: Valkey, namespace: str) -> None:
        self.simulator, self.raw, self.valkey, self.namespace = simulator, raw, valkey, namespace
        self.aggregations = AggregationCache(valkey.url, namespace, AggregationConfig(near_bytes=0))
        self.members: list[Member] = []
        self.computed = self.seen = 0

    def member(self, **shared: Any) -> Member:
        member = Member(self, **shared)
        self.members.append(member)
        return member

    def calls(self) -> list[str]:
        """The operations that DynamoDB has been asked for since this was last asked, but for descriptions."""
        calls = [call.operation for call in self.simulator.history.calls[self.seen :]]
        self.seen = len(self.simulator.history.calls)
        return [name for name in calls if not name.startswith("Describe")]

    def run(self, *commands: Any) -> list[Any]:
        """Commands at the server, as they are."""
        with self.valkey.client() as client:
            return [client.execute_command(*command) for command in commands]

    def tags(self) -> dict[str, bytes]:
        """The shared names of what the item depends on."""
        place = table_id(scope_of(self.raw), TABLE).place
        own = {
            "item": item_tag(place, item_key(KEY)),
            "query": partition_tag(place, None, partition_value([KEY["pk"]])),
        }
        return {
            kind: shared_tag(tag, lambda _: "pk")[0] for kind, tag in {**own, "scan": scan_tag(place, None)}.items()
        }

    @contextmanager
    def unheard(self) -> Iterator[None]:
        remove_change_listener(self.aggregations)
        try:
            yield
        finally:
            add_change_listener(self.aggregations)

    def close(self) -> None:
        self.aggregations.close()
        for member in self.members:
            member.cache.close()


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[tuple[Simulator, Any]]:
    simulator = Simulator()
    raw = simulator.client()
    yield simulator, raw
    raw.close()


@pytest.fixture
def shop(dynamodb: tuple[Simulator, Any], valkey: Valkey, namespace: str, only_own_keys: None) -> Iterator[Shop]:
    simulator, raw = dynamodb
    simulator.reset()
    raw.create_table(TableName=TABLE, **SHAPE)
    raw.put_item(TableName=TABLE, Item=OLD)
    shop = Shop(simulator, raw, valkey, namespace)
    shop.calls()
    yield shop
    shop.close()


def query(client: Any, name: str, value: str, **more: Any) -> Any:
    page = client.query(
        TableName=TABLE,
        KeyConditionExpression="#n = :v",
        ExpressionAttributeNames={"#n": name},
        ExpressionAttributeValues={":v": {"S": value}},
        **more,
    )
    return [item["v"]["N"] for item in page["Items"]]


READS: dict[str, Callable[[Any], Any]] = {
    "item": lambda client: client.get_item(TableName=TABLE, Key=KEY)["Item"]["v"]["N"],
    "query": lambda client: query(client, "pk", "a"),
    "index": lambda client: query(client, "owner", "ann", IndexName=INDEX),
    "scan": lambda client: [item["v"]["N"] for item in client.scan(TableName=TABLE)["Items"]],
    "scan of an index": lambda client: [i["v"]["N"] for i in client.scan(TableName=TABLE, IndexName=INDEX)["Items"]],
}
BY_HAND = {
    "on_item": lambda region: on_item(TABLE, KEY, region=region),
    "on_partition": lambda region: on_partition(TABLE, {"pk": "a"}, region=region),
    "on_partition of an index": lambda region: on_partition(TABLE, {"owner": "ann"}, INDEX, region=region),
    "on_table": lambda region: on_table(TABLE, region=region),
}


@pytest.mark.parametrize("has_tier", [False, True])
@pytest.mark.parametrize("kind", READS)
def test_p5_a_write_by_any_process_that_shares_the_tier_makes_a_result_stale(
    shop: Shop, kind: str, has_tier: bool
) -> None:
    writer = shop.member()
    client = shop.member().client if has_tier else daxlite.wrap(shop.raw, Cache(CacheConfig(jitter=0)))

    @shop.aggregations.cached(name=kind)
    def result() -> Any:
        return READS[kind](client)

    for item in (NEW, LATER, OLD):
        before = result()
        assert result() == before
        writer.put(item)
        after = result()
        assert after == READS[kind](shop.raw) != before
    total = shop.aggregations.stats().total
    assert total.stored >= 3


@pytest.mark.parametrize("kind", BY_HAND)
def test_p5_a_write_by_any_process_reaches_what_is_given_by_hand(shop: Shop, kind: str) -> None:
    writer = shop.member()
    writer.get()
    depends_on = [BY_HAND[kind](shop.raw.meta.region_name)]

    @shop.aggregations.cached(name=kind, capture=False, depends_on=depends_on)
    def result() -> Any:
        shop.computed += 1
        return shop.computed

    assert [result(), result()] == [1, 1]
    writer.put()
    assert [result(), result()] == [2, 2]


def test_p5_a_scan_of_which_there_was_no_state_is_read_strongly(shop: Shop) -> None:
    """A write touches the state only where it is there, so there may have been one that a replica has not heard of."""
    writer = shop.member()
    writer.put()
    client = daxlite.wrap(shop.raw, Cache(CacheConfig(jitter=0)))
    result = shop.aggregations.cached(name="result")(lambda: READS["scan"](client))
    assert [result(), result()] == [["2"], ["2"]]
    (scan,) = [call for call in shop.simulator.history.calls if call.operation == "Scan"]
    assert scan.request["ConsistentRead"]


# A write under way


@pytest.mark.parametrize("kind", ["item", "query", "scan"])
def test_p3_under_an_open_record_a_result_is_neither_served_nor_stored(shop: Shop, kind: str) -> None:
    client = daxlite.wrap(shop.raw, Cache(CacheConfig(jitter=0)))

    @shop.aggregations.cached(name=kind)
    def result() -> Any:
        shop.computed += 1
        return READS[kind](client)

    result(), result()
    assert shop.computed == 1
    keyspace, tags = Keyspace(shop.namespace), {shop.tags()[kind]: EVERYTHING}
    (begun,) = begins(b"I" * 16, tags, frozenset(tags), is_cluster=False)
    (reply,) = shop.run(begin(keyspace, begun, 600.0, 60.0))
    result(), result()
    assert shop.computed == 3
    assert shop.aggregations.stats().total.discarded == 2
    shop.run(finish(keyspace, begun, reply[2:], 60.0))
    result(), result()
    assert shop.computed == 4, "what was noted under it is not taken for new, what is noted after it is"


def test_p3_a_computation_that_began_under_a_record_is_not_stored_after_it(shop: Shop) -> None:
    """The token of begin stays on top, so the token alone does not tell."""
    client = daxlite.wrap(shop.raw, Cache(CacheConfig(jitter=0)))
    keyspace, tags = Keyspace(shop.namespace), {shop.tags()["item"]: EVERYTHING}
    (begun,) = begins(b"I" * 16, tags, frozenset(), is_cluster=False)
    (reply,) = shop.run(begin(keyspace, begun, 600.0, 60.0))

    @shop.aggregations.cached()
    def result() -> Any:
        read = READS["item"](client)
        if shop.computed == 0:
            shop.raw.put_item(TableName=TABLE, Item=NEW)
            assert shop.run(finish(keyspace, begun, reply[2:], 60.0))[0][2] == b"kept"
        shop.computed += 1
        return read

    assert [result(), result(), result()] == ["1", "2", "2"]
    assert shop.computed == 2


# No change is told twice


@pytest.mark.parametrize("write", ["put", "update", "delete", "batch", "transaction", "failed condition"])
def test_what_a_write_has_stored_at_the_tier_stays_though_an_aggregation_cache_hears_of_it(
    shop: Shop, write: str
) -> None:
    writer, other = shop.member(), shop.member(local=False)
    depends_on = [on_item(TABLE, KEY, region=shop.raw.meta.region_name)]
    result = shop.aggregations.cached(name="result", depends_on=depends_on)(lambda: READS["item"](other.client))
    if write != "delete":
        result()
    writer.get()
    values = {":v": {"N": "2"}}
    match write:
        case "put":
            writer.client.put_item(TableName=TABLE, Item=NEW)
        case "update":
            writer.client.update_item(
                TableName=TABLE, Key=KEY, UpdateExpression="SET v = :v", ExpressionAttributeValues=values
            )
        case "delete":
            writer.client.delete_item(TableName=TABLE, Key=KEY)
        case "batch":
            writer.client.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": NEW}}]})
        case "transaction":
            writer.client.transact_write_items(TransactItems=[{"Put": {"TableName": TABLE, "Item": NEW}}])
        case "failed condition":
            with pytest.raises(writer.client.exceptions.ConditionalCheckFailedException):
                writer.client.put_item(TableName=TABLE, Item=NEW, ConditionExpression="attribute_not_exists(pk)")
    shop.calls()
    found = other.get().get("Item")
    assert found == {"delete": None, "failed condition": OLD}.get(write, NEW)
    if write != "failed condition":
        assert shop.calls() == [], "another process finds it"
    if write != "delete":
        assert result() == found["v"]["N"]
    assert shop.aggregations.stats().pending_invalidations == 0


def test_p5_an_aggregation_cache_of_another_namespace_is_told_as_without_a_tier(shop: Shop) -> None:
    writer = shop.member(namespace=f"{shop.namespace}-other")
    client = daxlite.wrap(shop.raw, Cache(CacheConfig(jitter=0)))
    result = shop.aggregations.cached(name="result")(lambda: READS["item"](client))
    for item in (NEW, LATER):
        before = result()
        writer.client.put_item(TableName=TABLE, Item=item)
        assert result() == item["v"]["N"] != before


def test_p7_what_the_tier_could_not_be_told_is_pending_for_results_too(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tier's own outbox delivers it later; results are not believed before."""
    writer = shop.member()
    client = daxlite.wrap(shop.raw, Cache(CacheConfig(jitter=0)))
    result = shop.aggregations.cached(name="result")(lambda: READS["item"](client))
    assert [result(), result()] == ["1", "1"]
    connection = writer.cache._tier.server.threads  # type: ignore[union-attr]

    def refuse(*args: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(connection, "run", refuse)
    writer.client.put_item(TableName=TABLE, Item=NEW)
    assert result() == "2"


def test_p2_a_near_result_goes_with_a_write_that_the_tier_was_told(shop: Shop) -> None:
    writer = shop.member()
    near = AggregationCache(shop.valkey.url, shop.namespace)
    near._home.hearing.on_message = lambda *heard: None  # the process itself need not wait for the message
    try:
        result = near.cached(name="result")(lambda: READS["item"](writer.client))
        for item in (NEW, LATER, OLD, NEW):
            for _ in range(3):
                before = result()
            writer.client.put_item(TableName=TABLE, Item=item)
            assert result() == item["v"]["N"] != before
    finally:
        near.close()


# A process that only tells


def heard(member: Member) -> None:
    """Wait until a process has heard everything for as long as any write may take."""
    tier: Any = member.cache._tier
    member.get()
    (table,) = tier._tables.values()
    wait_until("it hears", lambda: bool(tier.hears(table)))
    member.get()
    epoch, now = tier._heard_since[table.digest]
    tier._heard_since[table.digest] = epoch, now - 3600.0


def test_a_process_that_does_not_read_tells_the_others_and_stores_nothing(shop: Shop) -> None:
    silent, reader = shop.member(reads=False, local=False), shop.member(local=False)
    reader.get()
    shop.calls()
    assert reader.get()["Item"] == OLD
    assert shop.calls() == []
    silent.put()
    shop.calls()
    assert reader.get()["Item"] == NEW
    assert shop.calls() == ["GetItem"], "the writer has left nothing there"
    assert silent.get()["Item"] == NEW
    assert query(silent.client, "pk", "a") == ["2"]
    assert shop.calls() == ["GetItem", "Query"], "it does not find what the other one has cached"


def test_a_process_that_does_not_read_fills_nothing(shop: Shop) -> None:
    silent = shop.member(reads=False)
    silent.get(), query(silent.client, "pk", "a"), silent.put()
    with shop.valkey.client() as client:
        keys = list(client.scan_iter(f"{shop.namespace}:*"))
    assert keys
    assert all(key.endswith(b":state") for key in keys)


def test_p5_a_process_that_does_not_read_keeps_its_own_copies_and_hears_the_others(shop: Shop) -> None:
    silent, writer = shop.member(reads=False), shop.member()
    heard(silent)
    silent.get(), query(silent.client, "pk", "a")
    shop.calls()
    silent.get(), query(silent.client, "pk", "a")
    assert shop.calls() == [], "as without a tier"
    messages = silent.cache.stats().shared.messages  # type: ignore[union-attr]
    writer.put()
    wait_until("it heard", lambda: silent.cache.stats().shared.messages > messages)  # type: ignore[union-attr]
    shop.calls()
    assert silent.get()["Item"] == NEW
    assert query(silent.client, "pk", "a") == ["2"]
    assert shop.calls() == ["GetItem", "Query"]


def test_p3_a_process_that_does_not_read_keeps_nothing_while_it_has_heard_of_a_write(shop: Shop) -> None:
    """It does not ask for states, so it cannot see when the write is over."""
    silent = shop.member(reads=False)
    heard(silent)
    keyspace, tags = Keyspace(shop.namespace), {shop.tags()["item"]: EVERYTHING}
    (begun,) = begins(b"I" * 16, tags, frozenset(), is_cluster=False)
    messages = silent.cache.stats().shared.messages  # type: ignore[union-attr]
    shop.run(begin(keyspace, begun, 600.0, 60.0))
    wait_until("it heard", lambda: silent.cache.stats().shared.messages > messages)  # type: ignore[union-attr]
    assert silent.get()["Item"] == OLD
    shop.raw.put_item(TableName=TABLE, Item=NEW)
    assert silent.get()["Item"] == NEW


def test_p5_a_process_that_has_just_begun_to_hear_keeps_nothing(shop: Shop) -> None:
    """A write may be under way of which it was not told."""
    silent = shop.member(reads=False)
    silent.get()
    tier: Any = silent.cache._tier
    (table,) = tier._tables.values()
    wait_until("it hears", lambda: tier.hears(table))
    silent.get()
    shop.calls()
    silent.get()
    assert shop.calls() == ["GetItem"]


def test_a_process_without_a_tier_writes_from_elsewhere(shop: Shop) -> None:
    reader, outside = shop.member(local=False), daxlite.wrap(shop.raw, Cache(CacheConfig(jitter=0)))
    reader.get()
    with shop.unheard():
        outside.put_item(TableName=TABLE, Item=NEW)
    assert reader.get()["Item"] == OLD, "until its TTL"
