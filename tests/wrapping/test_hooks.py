"""Hooks of the application's that rewrite requests or answers: the calls that they hear of bypass the cache."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from boto3.dynamodb.types import TypeDeserializer

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE
from tests.wrapping.wire import HERE, reply_of

SCHEMA = TableSchema(KeySchema.of("pk"))
TABLES = {name: TableConfig(schema=SCHEMA) for name in ("T", "a-T", "b-T")}


class Store:
    """A DynamoDB with tables of items under one key attribute."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Any] = {}
        self.sent: list[str] = []

    def __call__(self, request: Any, event_name: str, **_: Any) -> Any:
        operation, asked = event_name.rpartition(".")[2], json.loads(request.body)
        self.sent.append(operation)
        return reply_of(json.dumps(getattr(self, operation)(asked)).encode())

    def GetItem(self, asked: Any) -> Any:  # noqa: N802
        item = self.items.get((asked["TableName"], asked["Key"]["pk"]["S"]))
        return {} if item is None else {"Item": item}

    def Query(self, asked: Any) -> Any:  # noqa: N802
        found = [item for (table, _), item in self.items.items() if table == asked["TableName"]]
        return {"Items": found, "Count": len(found), "ScannedCount": len(found)}

    Scan = Query

    def BatchGetItem(self, asked: Any) -> Any:  # noqa: N802
        [(table, part)] = asked["RequestItems"].items()
        found = [self.items.get((table, key["pk"]["S"])) for key in part["Keys"]]
        return {"Responses": {table: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def PutItem(self, asked: Any) -> Any:  # noqa: N802
        self.items[asked["TableName"], asked["Item"]["pk"]["S"]] = asked["Item"]
        return {}


@pytest.fixture
def raw() -> Iterator[Any]:
    made = boto3.client("dynamodb", **HERE)
    yield made
    made.close()


@pytest.fixture
def store(raw: Any) -> Store:
    made = Store()
    raw.meta.events.register("before-send.dynamodb", made)
    return made


def wrapped(raw: Any) -> tuple[Any, Cache]:
    cache = Cache(CacheConfig(settle_window=0, tables=TABLES))
    return daxlite.wrap(raw, cache), cache


READS: dict[str, Callable[[Any], Any]] = {
    "GetItem": lambda client: client.get_item(TableName=TABLE, Key=KEY).get("Item"),
    "Query": lambda client: client.query(
        TableName=TABLE, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": KEY["pk"]}
    )["Items"],
    "Scan": lambda client: client.scan(TableName=TABLE)["Items"],
    "BatchGetItem": lambda client: client.batch_get_item(RequestItems={TABLE: {"Keys": [KEY]}})["Responses"].popitem()[
        1
    ],
}


class Tenant:
    """Rewrites the table of each request to that of the current tenant."""

    def __init__(self) -> None:
        self.name = "a"

    def __call__(self, params: Any, **_: Any) -> Any:
        if "TableName" in params:
            return {**params, "TableName": f"{self.name}-{params['TableName']}"}
        return {
            **params,
            "RequestItems": {f"{self.name}-{name}": part for name, part in params["RequestItems"].items()},
        }


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("event", ["provide-client-params.dynamodb", "before-parameter-build.dynamodb.*"])
@pytest.mark.parametrize("operation", READS)
def test_p1_a_tenant_never_gets_the_item_of_another(
    raw: Any, store: Store, operation: str, event: str, when: str
) -> None:
    tenant = Tenant()

    def rewrite(params: Any, **_: Any) -> Any:
        rewritten = tenant(params)
        if event.startswith("before"):  # which rewrites in place
            params.clear()
            params.update(rewritten)
        return rewritten

    if when == "before":
        raw.meta.events.register(event, rewrite)
    client, cache = wrapped(raw)
    if when == "after":
        READS[operation](client)
        raw.meta.events.register(event, rewrite)
    for name in "ab":
        store.items[f"{name}-T", "a"] = {**ITEM, "note": {"S": name}}
    read = READS[operation]
    for name in "abab":
        tenant.name = name
        found = read(client)
        assert (found if operation == "GetItem" else found[0])["note"] == {"S": name}
    assert cache.stats().tables["T"][_kind(operation)].bypasses == {"hooks": 4}


def _kind(operation: str) -> Any:
    return {"Query": "query", "Scan": "scan"}.get(operation, "item")


def test_p4_what_a_rewritten_write_changed_follows_from_what_was_sent(raw: Any, store: Store) -> None:
    """The hook hears of writes alone, so reads are cached; the write goes to another table than the caller named."""
    client, _ = wrapped(raw)
    store.items["a-T", "a"] = ITEM

    def get(table: str) -> Any:
        return client.get_item(TableName=table, Key=KEY)

    for table in ("T", "a-T"):
        get(table)
        assert is_hit(get(table))
    raw.meta.events.register("provide-client-params.dynamodb.PutItem", Tenant())
    client.put_item(TableName="T", Item={**ITEM, "note": {"S": "new"}})
    assert is_hit(get("T")), "the table that the caller named was not written"
    assert get("a-T")["Item"]["note"] == {"S": "new"}


def test_p1_an_attribute_that_a_hook_adds_to_each_put_is_in_the_next_answer(raw: Any, store: Store) -> None:
    def stamp(params: Any, **_: Any) -> Any:
        return {**params, "Item": {**params["Item"], "version": {"N": "7"}}}

    raw.meta.events.register("provide-client-params.dynamodb.PutItem", stamp)
    client, _ = wrapped(raw)
    client.put_item(TableName=TABLE, Item=ITEM)
    assert client.get_item(TableName=TABLE, Key=KEY)["Item"]["version"] == {"N": "7"}


def test_an_answer_that_a_hook_rewrites_is_not_kept_for_other_clients(raw: Any, store: Store) -> None:
    store.items["T", "a"] = ITEM
    other = boto3.client("dynamodb", **HERE)
    other.meta.events.register("before-send.dynamodb", store)
    other.meta.events.register("after-call.dynamodb.GetItem", lambda parsed, **_: parsed["Item"].pop("note"))
    cache = Cache(CacheConfig(settle_window=0, tables=TABLES))
    plain, redacting = daxlite.wrap(raw, cache), daxlite.wrap(other, cache)
    for _ in range(2):
        assert "note" not in redacting.get_item(TableName=TABLE, Key=KEY)["Item"]
        assert "note" in plain.get_item(TableName=TABLE, Key=KEY)["Item"]
    other.close()


def test_it_is_logged_once_and_by_name(raw: Any, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def rewrite(params: Any, **_: Any) -> None:
        """Leaves them as they are."""

    raw.meta.events.register("provide-client-params.dynamodb.GetItem", rewrite)
    client, _ = wrapped(raw)
    with caplog.at_level(logging.WARNING, logger="daxlite"):
        for _ in range(3):
            client.get_item(TableName=TABLE, Key=KEY)
    about = [record.getMessage() for record in caplog.records if "bypass" in record.getMessage()]
    assert len(about) == 1
    assert "rewrite" in about[0]


def test_a_hook_that_only_watches_leaves_the_cache_in_place_and_is_told_of(
    raw: Any, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """A guard before a request is sent does not run for a hit. That is said, not passed over in silence."""

    def guard(**_: Any) -> None:
        heard.append(1)

    heard: list[int] = []
    raw.meta.events.register("request-created.dynamodb", guard)
    client, _ = wrapped(raw)
    with caplog.at_level(logging.WARNING, logger="daxlite"):
        client.get_item(TableName=TABLE, Key=KEY)
        assert is_hit(client.get_item(TableName=TABLE, Key=KEY))
    assert heard == [1]
    assert (
        sum("no hook runs" in record.getMessage() and "guard" in record.getMessage() for record in caplog.records) == 1
    )


@pytest.mark.parametrize("event", ["before-call.dynamodb", "before-send.dynamodb"])
def test_what_a_guard_raises_reaches_the_application(raw: Any, store: Store, event: str) -> None:
    class Forbidden(Exception):  # noqa: N818
        """The application's own."""

    def guard(**_: Any) -> None:
        raise Forbidden

    client, cache = wrapped(raw)
    raw.meta.events.register_first(event, guard)
    for call in (*READS.values(), lambda client: client.put_item(TableName=TABLE, Item=ITEM)):
        with pytest.raises(Forbidden):
            call(client)
    assert cache.stats().faults == 0


def test_a_hook_that_is_taken_away_lets_the_cache_in_again(raw: Any, store: Store) -> None:
    tenant = Tenant()
    raw.meta.events.register("provide-client-params.dynamodb", tenant)
    client, _ = wrapped(raw)
    client.get_item(TableName=TABLE, Key=KEY)
    raw.meta.events.unregister("provide-client-params.dynamodb", tenant)
    client.get_item(TableName=TABLE, Key=KEY)
    assert is_hit(client.get_item(TableName=TABLE, Key=KEY))


def test_the_hooks_of_boto3_and_botocore_do_not_bypass() -> None:
    resource = boto3.resource("dynamodb", **HERE)
    store = Store()
    resource.meta.client.meta.events.register("before-send.dynamodb", store)
    table = daxlite.wrap(resource, Cache(CacheConfig(settle_window=0, tables=TABLES))).Table(TABLE)
    table.put_item(Item={"pk": "a", "n": 3})
    for _ in range(2):
        assert table.query(KeyConditionExpression=Key("pk").eq("a"))["Items"] == [{"pk": "a", "n": 3}]
        assert table.get_item(Key={"pk": "a"})["Item"] == {"pk": "a", "n": 3}
    assert store.sent == ["PutItem", "Query"]
    resource.meta.client.close()


def test_a_client_that_becomes_that_of_a_resource_after_it_was_wrapped_takes_native_values() -> None:
    """boto3 makes a resource's client first, and registers the conversion of values afterwards."""
    session, caches = boto3.Session(), []
    resource_client = boto3.client("dynamodb", **HERE)
    store = Store()
    resource_client.meta.events.register("before-send.dynamodb", store)
    cache = Cache(CacheConfig(settle_window=0, tables=TABLES))
    caches.append(cache)
    session.client = lambda *_, **__: daxlite.wrap(resource_client, cache)  # type: ignore[method-assign]
    table = session.resource("dynamodb", region_name="eu-west-1").Table(TABLE)
    table.put_item(Item={"pk": "a", "n": 3})
    for _ in range(2):
        assert table.get_item(Key={"pk": "a"})["Item"] == {"pk": "a", "n": 3}
    assert cache.stats().tables["T"]["item"].bypasses == {}
    assert store.sent == ["PutItem"]
    resource_client.close()


# Serializers of the application's


class Floats(TypeDeserializer):
    """Numbers as floats, as some programs have them."""

    def _deserialize_n(self, value: str) -> float:  # type: ignore[override]
        return float(value)


class Texts(TypeDeserializer):
    """Numbers as texts."""

    def _deserialize_n(self, value: str) -> str:  # type: ignore[override]
        return value


def resource_with(monkeypatch: pytest.MonkeyPatch, deserializer: type[TypeDeserializer], where: str) -> Any:
    if where == "the module":
        with monkeypatch.context() as patched:
            patched.setattr("boto3.dynamodb.transform.TypeDeserializer", deserializer)
            return boto3.resource("dynamodb", **HERE)
    made = boto3.resource("dynamodb", **HERE)
    made._injector._deserializer = deserializer()
    return made


@pytest.mark.parametrize("where", ["the module", "one resource"])
@pytest.mark.parametrize("deserializer", [Floats, Texts])
def test_p1_native_types_are_those_of_the_resource_on_a_miss_and_on_a_hit(
    monkeypatch: pytest.MonkeyPatch, raw: Any, store: Store, deserializer: type[TypeDeserializer], where: str
) -> None:
    store.items["T", "a"] = {**KEY, "n": {"N": "3"}}
    resource = resource_with(monkeypatch, deserializer, where)
    resource.meta.client.meta.events.register("before-send.dynamodb", store)
    cache = Cache(CacheConfig(settle_window=0, tables=TABLES))
    client, table = daxlite.wrap(raw, cache), daxlite.wrap(resource, cache).Table(TABLE)
    expected = resource.Table(TABLE).get_item(Key={"pk": "a"})["Item"]
    for _ in range(2):
        found = table.get_item(Key={"pk": "a"})["Item"]
        assert (found, type(found["n"])) == (expected, type(expected["n"]))
    assert client.get_item(TableName=TABLE, Key=KEY)["Item"]["n"] == {"N": "3"}, "the other client's own form"
    found = table.get_item(Key={"pk": "a"})
    assert is_hit(found), "what the other client stored"
    assert (found["Item"], type(found["Item"]["n"])) == (expected, type(expected["n"]))
    resource.meta.client.close()
