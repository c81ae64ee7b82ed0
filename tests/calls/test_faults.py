"""Faults of daxlite's own never reach the application: the call goes through, is counted, and answers stay right."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from daxlite.cache import flights, state
from daxlite.cache.memory import MemoryCache
from daxlite.calls import batch_get_item, batch_part, batch_writes, context, get_item, pages, write_item
from daxlite.core.changes import Change
from daxlite.core.expressions.projections import Projection
from daxlite.core.requests import ItemRead, PageRead
from tests.responses import essence
from tests.scripted_client import ITEM, KEY, TABLE, ScriptedClient, description, made, page, refused

pytestmark = pytest.mark.faults_expected

SECRET = "4111-1111"
STORED = {**ITEM, "card": {"S": SECRET}}
# Everything that daxlite runs of its own before, between and after the calls it sends, by where a fault would strike.
PLACES: dict[str, tuple[Any, str]] = {
    "encode": (flights, "encode_exactly"),
    "decode an item": (get_item, "decode"),
    "decode a page": (pages, "decode"),
    "lookup": (MemoryCache, "lookup"),
    "lookup of several": (MemoryCache, "lookup_first"),
    "bumped tags": (state, "bumped_tags"),
    "apply": (state.State, "apply"),
    "store": (state.State, "store"),
    "table": (state.State, "table"),
    "is a description due": (MemoryCache, "is_description_due"),
    "describe": (MemoryCache, "describe"),
    "learn key": (MemoryCache, "learn_key"),
    "schema of a description": (context, "schema_of"),
    "an item's tags": (ItemRead, "tags"),
    "a page's tags": (PageRead, "tags"),
    "a flight starts": (flights._Flight, "_watch"),
    "a flight fills": (flights.ReadFlight, "fill"),
    "key of a get": (get_item, "item_key"),
    "key of a batch": (batch_get_item, "item_key"),
    "key of a write": (write_item, "key_of_write"),
    "change of many writes": (batch_writes, "change_of"),
    "attributes of an update": (write_item, "update_of"),
    "images": (write_item, "images"),
    "additions": (write_item, "_additions"),
    "a batch taken apart": (batch_part.Part, "answers_of"),
    "keys added to a batch": (batch_part.Part, "request_adding"),
    "selection": (Projection, "select"),
    "a hit": (get_item, "hit_response"),
    "a hit page": (pages, "hit_response"),
    "a hit batch": (batch_get_item, "hit_response"),
}
AFTER_ERRORS: dict[str, tuple[Any, str]] = {
    "outcome of a write": (context.Context, "outcome"),
    "outcome of an error": (context, "outcome_of"),
    "missing table": (context, "is_missing_table"),
    "refused additions": (context, "refuses_addition"),
    "forget": (state.State, "forget"),
}
UPDATE = {"UpdateExpression": "SET note = :n", "ExpressionAttributeValues": {":n": {"S": "y"}}}
CALLS: dict[str, Callable[[ScriptedClient], dict[str, Any]]] = {
    "get": lambda client: client.get(),
    "get a part": lambda client: client.get(ProjectionExpression="note"),
    "batch get": lambda client: client("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY]}}),
    "batch get a part": lambda client: client(
        "BatchGetItem", RequestItems={TABLE: {"Keys": [KEY], "ProjectionExpression": "note"}}
    ),
    "query": lambda client: client.query(),
    "scan": lambda client: client("Scan"),
    "put": lambda client: client.put(),
    "update": lambda client: client("UpdateItem", Key=KEY, **UPDATE),
    "delete": lambda client: client("DeleteItem", Key=KEY),
    "batch write": lambda client: client("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": ITEM}}]}),
    "transact write": lambda client: client(
        "TransactWriteItems", TransactItems=[{"Put": {"TableName": TABLE, "Item": ITEM}}]
    ),
    "statement": lambda client: client("ExecuteStatement", Statement='DELETE FROM "T"'),
    "delete table": lambda client: client("DeleteTable"),
    "transact get": lambda client: client(
        "TransactGetItems", TransactItems=[{"Get": {"TableName": TABLE, "Key": KEY}}]
    ),
}
WRITES = ("put", "update", "delete", "batch write", "transact write", "statement", "delete table")


def full_client() -> ScriptedClient:
    part = {"note": ITEM["note"]}

    def batch_get(params: dict[str, Any]) -> dict[str, Any]:
        asked = params["RequestItems"][TABLE]
        names = asked.get("ExpressionAttributeNames", {}).values()
        item = {**part, **({"pk": ITEM["pk"]} if "pk" in names else {})} if "ProjectionExpression" in asked else STORED
        return made(Responses={TABLE: [item]}, UnprocessedKeys={})

    return ScriptedClient(
        schema=None,
        DescribeTable=description("pk", indexes={"by_owner": ("owner", "age")}),
        GetItem=lambda params: made(Item=part if "ProjectionExpression" in params else STORED),
        BatchGetItem=batch_get,
        Query=page(STORED),
        Scan=page(STORED),
        UpdateItem=lambda params: made(Attributes=STORED) if "ReturnValues" in params else made(),
        **{
            operation: made()
            for operation in (
                "PutItem",
                "DeleteItem",
                "BatchWriteItem",
                "TransactWriteItems",
                "ExecuteStatement",
                "DeleteTable",
                "TransactGetItems",
            )
        },
    )


def explode(*_: Any, **__: Any) -> Any:
    raise RuntimeError(f"daxlite is broken, and says so with an item in its hand: {SECRET}")


@pytest.mark.parametrize("place", PLACES)
def test_a_fault_anywhere_is_kept_from_the_application(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    struck, wrong = 0, {}
    for call in CALLS:
        for is_warm in (False, True):
            strikes, complaint = _strike(place, call, is_warm, monkeypatch)
            struck += strikes
            if complaint is not None:
                wrong[f"{call}, {'warm' if is_warm else 'cold'}"] = complaint
    assert struck, "no call comes by this place: the test tests nothing"
    assert wrong == {}


def _strike(place: str, call: str, is_warm: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str | None]:
    """How often the fault struck, and what is wrong with what came of it."""
    client = full_client()
    expected = essence(CALLS[call](full_client()))
    if is_warm:
        for other in (*CALLS.values(), *[CALLS[name] for name in ("get", "get a part", "query", "scan")]):
            other(client)
    client.dynamodb.take()
    strikes = 0

    def strike(*_: Any, **__: Any) -> Any:
        nonlocal strikes
        strikes += 1
        explode()

    with monkeypatch.context() as patched:
        patched.setattr(*PLACES[place], strike)
        try:
            response = essence(CALLS[call](client))
        except Exception as error:  # noqa: BLE001 - any error is one too many
            return strikes, f"the application got a {type(error).__name__}"
        faults = client.cache.stats().faults
    sent = [operation for operation in client.dynamodb.take() if operation != "DescribeTable"]
    if response != expected:
        return strikes, f"answered {response} for {expected}"
    if faults != (1 if strikes else 0):
        return strikes, f"counted {faults} for one call"
    # A batch that the cache answers in part has no whole answer to fall back on: it is asked again.
    if len(sent) > (2 if call.startswith("batch get") else 1):
        return strikes, f"sent {sent}"
    if not strikes or call not in WRITES:
        return strikes, None
    # Even if the fault prevented a drop or a store, the answer is the present state.
    client.dynamodb.answers |= {"GetItem": made(), "Query": page(), "Scan": page()}
    stale = [read for read in ("query", "scan") if CALLS[read](client)["Items"]]
    if CALLS["get"](client).get("Item") not in (None, ITEM, STORED if call == "update" else None):
        stale.append("get")
    return strikes, f"stale: {stale}" if stale else None


def test_a_fault_where_a_dead_entry_is_dropped_is_kept_from_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    client = full_client()
    client.query()
    client.memory.apply(Change(client.dispatcher.context.table(TABLE).place))
    client.dynamodb.answers["Query"] = page(ITEM)
    monkeypatch.setattr(state.State, "drop_dead", explode)
    assert client.query()["Items"] == [ITEM]
    assert client.cache.stats().faults == 1


@pytest.mark.parametrize("place", [*PLACES, *AFTER_ERRORS])
def test_a_fault_never_hides_dynamodbs_own_error(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {}
    for code in ("ResourceNotFoundException", "InternalServerError", "AccessDeniedException"):
        for call, make in CALLS.items():
            client = full_client()
            for operation in {*client.dynamodb.answers} - {"DescribeTable"}:
                client.dynamodb.answers[operation] = refused(code)
            with monkeypatch.context() as patched:
                patched.setattr(*{**PLACES, **AFTER_ERRORS}[place], explode)
                try:
                    make(client)
                except ClientError as raised:
                    if raised.response["Error"]["Code"] != code:
                        wrong[call, code] = f"the application got {raised}"
                except Exception as raised:  # noqa: BLE001 - any other error is one too many
                    wrong[call, code] = f"the application got a {type(raised).__name__}"
                else:
                    wrong[call, code] = "the application got no error"
    assert wrong == {}


def test_faults_are_logged_once_and_without_what_they_hold(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = full_client()
    monkeypatch.setattr(flights, "encode_exactly", explode)
    with caplog.at_level(logging.DEBUG, logger="daxlite"):
        for _ in range(3):
            assert client.get()["Item"] == STORED
    assert client.cache.stats().faults == 3
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "RuntimeError" in record.getMessage()
    assert SECRET not in caplog.text


def test_after_a_fault_the_cache_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client = full_client()
    client.get()
    with monkeypatch.context() as patched:
        patched.setattr(state, "bumped_tags", explode)
        client.put()
    client.get()
    assert client.is_hit(client.get())


@pytest.mark.parametrize(
    "params",
    [{}, {"TableName": TABLE}, {"TableName": TABLE, "Key": None}, {"TableName": 3, "Key": KEY}, {"TableName": []}],
    ids=repr,
)
@pytest.mark.parametrize("operation", ["GetItem", "Query", "PutItem", "BatchGetItem", "BatchWriteItem", "DeleteTable"])
def test_a_request_that_is_none_is_no_fault_of_ours(operation: str, params: dict[str, Any]) -> None:
    error = ParamValidationError(report="")
    client = ScriptedClient(**{operation: error})
    with pytest.raises(ParamValidationError) as raised:
        client.dispatcher.call(operation, params)
    assert raised.value is error
    assert client.cache.stats().faults == 0
