"""Promise P5, between two real processes: what one has read the other finds, what one writes the other does not serve
stale once it was told."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import MakeTable
from tests.tier.conftest import listening
from tests.tier.crew import Process
from tests.tier.worker import Setup
from tests.valkey import Valkey

Pair = tuple[Process, Process]


def key(pk: str = "a", sk: str = "1") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def item(pk: str = "a", sk: str = "1", **values: str) -> dict[str, Any]:
    return {**key(pk, sk), **{name: {"S": value} for name, value in values.items()}}


def get(process: Process, table: str, pk: str = "a", sk: str = "1", **more: Any) -> Any:
    return process.call("get_item", TableName=table, Key=key(pk, sk), **more)


def put(process: Process, table: str, pk: str = "a", sk: str = "1", **values: str) -> Any:
    return process.call("put_item", TableName=table, Item=item(pk, sk, **values))


def query(process: Process, table: str, low: str, high: str, pk: str = "a", **more: Any) -> Any:
    return process.call(
        "query",
        TableName=table,
        KeyConditionExpression="pk = :p AND sk BETWEEN :l AND :h",
        ExpressionAttributeValues={":p": {"S": pk}, ":l": {"S": low}, ":h": {"S": high}},
        **more,
    )


def query_own(process: Process, table: str, low: str, high: str, pk: str = "a") -> Any:
    return process.call(
        "query",
        TableName=table,
        IndexName="by-own",
        KeyConditionExpression="pk = :p AND own BETWEEN :l AND :h",
        ExpressionAttributeValues={":p": {"S": pk}, ":l": {"S": low}, ":h": {"S": high}},
    )


def query_to(process: Process, table: str, to: str) -> Any:
    return process.call(
        "query",
        TableName=table,
        IndexName="by-to",
        KeyConditionExpression="#to = :t AND #at <= :a",
        ExpressionAttributeNames={"#to": "to", "#at": "at"},
        ExpressionAttributeValues={":t": {"S": to}, ":a": {"S": "5"}},
    )


def test_p5_what_one_has_read_the_other_finds(pair: Pair, table: str, raw: Any) -> None:
    first, second = pair
    raw.put_item(TableName=table, Item=item(v="1"))
    assert get(first, table).sent == ("GetItem",)
    found = get(second, table)
    assert (found.item, found.sent) == (item(v="1"), ())


def test_p5_negative_entries_are_found(pair: Pair, table: str) -> None:
    first, second = pair
    assert get(first, table).sent == ("GetItem",)
    found = get(second, table)
    assert (found.item, found.sent) == (None, ())
    put(first, table, v="1")
    assert get(second, table).item == item(v="1")


def test_p5_projections_are_found_of_themselves_and_of_the_whole_item(pair: Pair, table: str, raw: Any) -> None:
    first, second = pair
    raw.put_item(TableName=table, Item=item(v="1", w="2"))
    assert get(first, table, ProjectionExpression="v").sent == ("GetItem",)
    found = get(second, table, ProjectionExpression="v")
    assert (found.item, found.sent) == ({"v": {"S": "1"}}, ())
    assert get(first, table).sent == ("GetItem",)
    found = get(second, table, ProjectionExpression="w")
    assert (found.item, found.sent) == ({"w": {"S": "2"}}, ())
    put(second, table, v="3")
    second.ask("has_heard")
    first.ask("has_heard")
    assert get(first, table, ProjectionExpression="v").item == {"v": {"S": "3"}}


def _update(process: Process, table: str) -> None:
    process.call(
        "update_item",
        TableName=table,
        Key=key(),
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"S": "2"}},
    )


def _batch(process: Process, table: str) -> None:
    process.call("batch_write_item", RequestItems={table: [{"PutRequest": {"Item": item(v="2")}}]})


def _transaction(process: Process, table: str) -> None:
    process.call("transact_write_items", TransactItems=[{"Put": {"TableName": table, "Item": item(v="2")}}])


def _statement(process: Process, table: str) -> None:
    process.call(
        "execute_statement",
        Statement=f"UPDATE \"{table}\" SET v = '2' WHERE pk = 'a' AND sk = '1'",  # noqa: S608 - of our own making
    )


WRITES: dict[str, Callable[[Process, str], Any]] = {
    "put": lambda process, table: put(process, table, v="2"),
    "update": _update,
    "delete": lambda process, table: process.call("delete_item", TableName=table, Key=key()),
    "batch": _batch,
    "transaction": _transaction,
    "statement": _statement,
}


@pytest.mark.needs("transactions", "partiql")
@pytest.mark.parametrize("write", WRITES)
def test_p5_what_one_writes_the_other_does_not_serve_stale(pair: Pair, table: str, raw: Any, write: str) -> None:
    first, second = pair
    raw.put_item(TableName=table, Item=item(v="1"))
    for process in pair:
        get(process, table)
        query(process, table, "0", "9")
        assert get(process, table).sent == query(process, table, "0", "9").sent == ()
    WRITES[write](first, table)
    second.ask("has_heard")
    new = raw.get_item(TableName=table, Key=key()).get("Item")
    assert new != item(v="1")
    for process in (second, first):
        assert get(process, table).item == new
        assert query(process, table, "0", "9").items == ([] if new is None else [new])


def test_p5_a_table_that_is_made_anew_is_empty_for_all(pair: Pair, table: str, raw: Any) -> None:
    first, second = pair
    description = raw.describe_table(TableName=table)["Table"]
    raw.put_item(TableName=table, Item=item(v="1"))
    for process in pair:
        assert get(process, table).item == item(v="1")
    first.call("delete_table", TableName=table)
    raw.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=description["KeySchema"],
        AttributeDefinitions=[each for each in description["AttributeDefinitions"] if each["AttributeName"] in key()],
    )
    second.ask("has_heard")
    for process in (second, first):
        assert get(process, table).item is None


def test_p5_own_messages_do_not_drop_what_was_written(pair: Pair, table: str) -> None:
    first, second = pair
    put(first, table, v="1")
    first.ask("has_heard")
    found = get(first, table)
    assert (found.item, found.sent) == (item(v="1"), ())
    kinds = first.ask("do", "stats").tables[table]
    assert kinds["item"].hits >= 1, "it is served from the process's own memory"
    found = get(second, table)
    assert (found.item, found.sent) == (item(v="1"), ()), "the new value stands in Redis"


def test_p5_what_a_process_has_written_itself_it_drops_when_it_is_told(pair: Pair, table: str) -> None:
    first, second = pair
    put(first, table, v="1")
    assert get(first, table).sent == ()
    put(second, table, v="2")
    first.ask("has_heard")
    assert get(first, table).item == item(v="2")


def test_p5_pages_are_shared_by_range(pair: Pair, table: str, raw: Any) -> None:
    first, second = pair
    for sk in "123":
        raw.put_item(TableName=table, Item=item(sk=sk, v=sk))
    assert query(first, table, "1", "3").sent == ("Query",)
    assert query(second, table, "1", "3").sent == ()
    put(first, table, sk="4", v="4")
    second.ask("has_heard")
    for process in pair:
        assert query(process, table, "1", "3").sent == (), "the new item lies outside"
    put(second, table, sk="2", v="new")
    first.ask("has_heard")
    assert [each["v"]["S"] for each in query(first, table, "1", "3").items] == ["1", "new", "3"]


def test_p5_pages_of_a_local_index_are_shared(pair: Pair, table: str, raw: Any) -> None:
    first, second = pair
    raw.put_item(TableName=table, Item=item(own="5", v="1"))
    assert query_own(first, table, "4", "6").sent == ("Query",)
    assert query_own(second, table, "4", "6").sent == ()
    put(first, table, pk="b", own="5")
    second.ask("has_heard")
    assert query_own(second, table, "4", "6").sent == ()
    put(first, table, own="9", v="1")
    second.ask("has_heard")
    assert query_own(second, table, "4", "6").items == []


def test_p5_pages_of_a_global_index_are_shared(pair: Pair, table: str, setup: Setup, raw: Any) -> None:
    first, second = pair
    for process in pair:
        process.ask("open", setup.but(config={"settle_window": 0.1}))
        listening(process, table)
    raw.put_item(TableName=table, Item=item(to="x", at="1"))
    query_to(first, table, "x")  # makes the state, which counts as changed for one window
    first.ask("sleep", 0.15)
    query_to(first, table, "x")
    first.ask("sleep", 0.15)
    query_to(first, table, "x")
    assert query_to(second, table, "x").sent == ()
    put(first, table, sk="2", to="x", at="9")
    second.ask("has_heard")
    assert query_to(second, table, "x").sent == (), "the new item lies outside"
    put(first, table, to="y", at="1")
    second.ask("has_heard")
    assert query_to(second, table, "x").items == []
    assert query_to(second, table, "y").items == [item(to="y", at="1")]


def test_p5_a_batch_of_reads_asks_redis_once_and_dynamodb_once(pair: Pair, table: str, raw: Any) -> None:
    first, second = pair
    for sk in "1234":
        raw.put_item(TableName=table, Item=item(sk=sk, v=sk))
    get(first, table, sk="1")
    get(first, table, sk="2")
    get(second, table, sk="9")  # now it knows the generations
    second.ask("round_trips")
    found = second.call("batch_get_item", RequestItems={table: {"Keys": [key(sk=sk) for sk in "1234"]}})
    got = sorted(each["v"]["S"] for each in found.response["Responses"][table])
    assert (got, found.sent) == (["1", "2", "3", "4"], ("BatchGetItem",))
    assert second.ask("round_trips") == ["MGET", "EVAL", "EVAL EVAL"], "a look, a note of what is missing, a store"
    found = first.call("batch_get_item", RequestItems={table: {"Keys": [key(sk=sk) for sk in "1234"]}})
    assert found.sent == ()


def test_p5_the_ttl_attribute_ends_what_shows_the_item(
    pair: Pair, table: str, setup: Setup, valkey: Valkey, namespace: str, raw: Any
) -> None:
    raw.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    first, second = pair
    for process in pair:
        process.ask("open", setup)
    raw.put_item(TableName=table, Item=item() | {"expires": {"N": str(int(time.time()) + 100)}})
    get(first, table)
    query(first, table, "0", "9")
    assert get(second, table).sent == query(second, table, "0", "9").sent == ()
    with valkey.client() as client:
        lives = [client.pttl(each) for each in client.scan_iter(f"{namespace}:*") if not each.endswith(b":state")]
    assert len([life for life in lives if life <= 100_000]) == 2, "the values go when the item expires"


def test_p5_a_table_stays_out(pair: Pair, table: str, setup: Setup, raw: Any) -> None:
    first, second = pair
    for process in pair:
        process.ask("open", setup.but(tables={table: {"shared": False}}))
    raw.put_item(TableName=table, Item=item(v="1"))
    assert get(first, table).sent == ("GetItem",)
    assert get(second, table).sent == ("GetItem",)
    assert get(second, table).sent == (), "it is cached in the process alone"
    put(first, table, v="2")
    assert get(first, table).item == item(v="2")
    assert get(second, table).item == item(v="1"), "nobody told the process"


def test_p5_without_local_copies_each_read_asks_redis(pair: Pair, table: str, setup: Setup, raw: Any) -> None:
    first, second = pair
    second.ask("open", setup.but(shared={"local": False}))
    raw.put_item(TableName=table, Item=item(v="1"))
    get(first, table)
    for _ in range(2):
        found = get(second, table)
        assert (found.item, found.sent) == (item(v="1"), ())
        assert "MGET" in second.ask("round_trips")
    put(first, table, v="2")
    assert get(second, table).item == item(v="2"), "without a word"
    put(second, table, v="3")
    first.ask("has_heard")
    assert get(first, table).item == item(v="3")


def test_p5_principals_keep_their_answers_apart(pair: Pair, table: str, setup: Setup, raw: Any) -> None:
    first, second = pair
    first.ask("open", setup.but(wrap={"principal": "role-a"}))
    second.ask("open", setup.but(wrap={"principal": "role-b"}))
    for process in pair:
        listening(process, table)
    raw.put_item(TableName=table, Item=item(v="1"))
    assert get(first, table).sent == get(second, table).sent == ("GetItem",)
    put(first, table, v="2")
    second.ask("has_heard")
    found = get(second, table)
    assert (found.item, found.sent) == (item(v="2"), ("GetItem",)), "a change reaches all"


def test_p5_accounts_keep_their_answers_apart(pair: Pair, table: str, setup: Setup, raw: Any) -> None:
    first, second = pair
    first.ask("open", setup.but(account="111111111111"))
    second.ask("open", setup.but(account="222222222222"))
    raw.put_item(TableName=table, Item=item(v="1"))
    assert get(first, table).sent == get(second, table).sent == ("GetItem",)


def test_p5_of_an_unknown_account_nothing_is_stored(pair: Pair, table: str, setup: Setup, valkey: Valkey) -> None:
    first, second = pair
    get(second, table)
    first.ask("open", setup.but(denied=("DescribeTable",)))
    for _ in range(2):
        assert get(first, table).sent == ("GetItem",), "neither here nor in Redis: this process does not hear of it"
    put(first, table, v="1")
    second.ask("has_heard")
    found = get(second, table)
    assert (found.item, found.sent) == (item(v="1"), ("GetItem",)), "told, and not stored"
    said = [line for line in first.ask("logged") if "account" in line]
    assert len(said) == 1, first.ask("logged")


def test_p5_encrypted_values(pair: Pair, table: str, setup: Setup, valkey: Valkey, namespace: str, raw: Any) -> None:
    first, second = pair
    old, new = bytes(range(32)), bytes(range(1, 33))
    first.ask("open", setup.but(shared={"encryption_keys": [old]}))
    second.ask("open", setup.but(shared={"encryption_keys": [new, old]}))
    secret = base64.b64encode(b"very secret").decode()
    raw.put_item(TableName=table, Item=item(v=secret))
    get(first, table)
    assert get(second, table).sent == ()
    with valkey.client() as client:
        values = [client.get(each) for each in client.scan_iter(f"{namespace}:*", count=1000)]
    assert values
    assert not any(secret.encode() in (value or b"") for value in values)
    second.ask("open", setup.but(shared={"encryption_keys": [new]}))
    assert get(second, table).sent == ("GetItem",), "it cannot read that"


def test_p5_clear_ends_everything_of_the_namespace(pair: Pair, table: str, setup: Setup, raw: Any) -> None:
    first, second = pair
    raw.put_item(TableName=table, Item=item(v="1"))
    for process in pair:
        assert get(process, table).item == item(v="1")
        query(process, table, "0", "9")
    raw.put_item(TableName=table, Item=item(v="2"))
    first.ask("round_trips")
    first.ask("do", "clear")
    assert first.ask("round_trips") == ["EVAL"], "one command, however much is stored"
    second.ask("has_heard")
    for process in (second, first):
        assert get(process, table).item == item(v="2")
        assert query(process, table, "0", "9").items == [item(v="2")]


def test_p5_queries_that_are_cached_by_time_are_refused(setup: Setup) -> None:
    import daxlite

    config = daxlite.CacheConfig(query_invalidation="ttl")
    with pytest.raises(ValueError, match="query_invalidation"):
        daxlite.Cache(config, shared=daxlite.Shared(setup.url, setup.namespace))


def test_p5_a_table_of_one_key_attribute(pair: Pair, make_table: MakeTable, raw: Any) -> None:
    first, second = pair
    table = make_table()
    raw.put_item(TableName=table, Item={"pk": {"S": "a"}, "v": {"N": "1"}})
    first.call("get_item", TableName=table, Key={"pk": {"S": "a"}})
    assert second.call("get_item", TableName=table, Key={"pk": {"S": "a"}}).sent == ()
