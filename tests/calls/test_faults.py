"""Faults of daxlite's own never reach the application: the call goes through, is counted, and answers stay right."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from daxlite.cache import cache as cache_module
from daxlite.cache import flights as flight
from daxlite.cache import state
from daxlite.calls import batch_get_item, batch_part, changing, context, get_item, pages, write_item
from daxlite.calls import batch_writes as write_many
from daxlite.core.changes import Change
from daxlite.core.expressions.projections import Projection
from daxlite.core.requests import ItemRead, PageRead
from tests.calls.scripted import ITEM, KEY, TABLE, Lab, description, made, page, refused

pytestmark = pytest.mark.faults_expected

SECRET = "4111-1111"
STORED = {**ITEM, "card": {"S": SECRET}}
# Everything that daxlite runs of its own before, between and after the calls it sends, by where a fault would strike.
PLACES: dict[str, tuple[Any, str]] = {
    "encode": (flight, "encode"),
    "decode an item": (get_item, "decode"),
    "decode a page": (pages, "decode"),
    "lookup": (cache_module.Cache, "lookup"),
    "lookup of several": (cache_module.Cache, "lookup_first"),
    "bumped tags": (state, "bumped_tags"),
    "apply": (state.State, "apply"),
    "store": (state.State, "store"),
    "table": (state.State, "table"),
    "is a description due": (cache_module.Cache, "is_description_due"),
    "describe": (cache_module.Cache, "describe"),
    "learn key": (cache_module.Cache, "learn_key"),
    "schema of a description": (context, "schema_of"),
    "an item's tags": (ItemRead, "tags"),
    "a page's tags": (PageRead, "tags"),
    "a flight starts": (flight.Flight, "__enter__"),
    "a flight fills": (flight.Flight, "_fill"),
    "key of a get": (get_item, "item_key"),
    "key of a batch": (batch_get_item, "item_key"),
    "key of a write": (write_item, "key_of_write"),
    "change of many writes": (write_many, "change_of"),
    "attributes of an update": (write_item, "update_of"),
    "images": (write_item, "_images"),
    "additions": (write_item, "_additions"),
    "a batch taken apart": (batch_part.Part, "fill"),
    "keys added to a batch": (batch_part.Part, "request_adding"),
    "selection": (Projection, "select"),
    "a hit": (get_item, "hit_response"),
    "a hit page": (pages, "hit_response"),
    "a hit batch": (batch_get_item, "hit_response"),
}
AFTER_ERRORS: dict[str, tuple[Any, str]] = {
    "outcome of a write": (write_item, "changed_nothing"),
    "outcome of many": (changing, "changed_nothing"),
    "missing table": (context, "is_missing_table"),
    "refused additions": (context, "refuses_addition"),
    "forget": (state.State, "forget"),
}
UPDATE = {"UpdateExpression": "SET note = :n", "ExpressionAttributeValues": {":n": {"S": "y"}}}
CALLS: dict[str, Callable[[Lab], dict[str, Any]]] = {
    "get": lambda lab: lab.get(),
    "get a part": lambda lab: lab.get(ProjectionExpression="note"),
    "batch get": lambda lab: lab("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY]}}),
    "batch get a part": lambda lab: lab(
        "BatchGetItem", RequestItems={TABLE: {"Keys": [KEY], "ProjectionExpression": "note"}}
    ),
    "query": lambda lab: lab.query(),
    "scan": lambda lab: lab("Scan"),
    "put": lambda lab: lab.put(),
    "update": lambda lab: lab("UpdateItem", Key=KEY, **UPDATE),
    "delete": lambda lab: lab("DeleteItem", Key=KEY),
    "batch write": lambda lab: lab("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": ITEM}}]}),
    "transact write": lambda lab: lab(
        "TransactWriteItems", TransactItems=[{"Put": {"TableName": TABLE, "Item": ITEM}}]
    ),
    "statement": lambda lab: lab("ExecuteStatement", Statement='DELETE FROM "T"'),
    "delete table": lambda lab: lab("DeleteTable"),
    "transact get": lambda lab: lab("TransactGetItems", TransactItems=[{"Get": {"TableName": TABLE, "Key": KEY}}]),
}
WRITES = ("put", "update", "delete", "batch write", "transact write", "statement", "delete table")


def laboratory() -> Lab:
    part = {"note": ITEM["note"]}

    def batch_get(params: dict[str, Any]) -> dict[str, Any]:
        asked = params["RequestItems"][TABLE]
        names = asked.get("ExpressionAttributeNames", {}).values()
        item = {**part, **({"pk": ITEM["pk"]} if "pk" in names else {})} if "ProjectionExpression" in asked else STORED
        return made(Responses={TABLE: [item]}, UnprocessedKeys={})

    return Lab(
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


def essence(response: dict[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in response.items() if name != "ResponseMetadata"}


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
    lab = laboratory()
    expected = essence(CALLS[call](laboratory()))
    if is_warm:
        for other in (*CALLS.values(), *[CALLS[name] for name in ("get", "get a part", "query", "scan")]):
            other(lab)
    lab.dynamodb.take()
    strikes = 0

    def strike(*_: Any, **__: Any) -> Any:
        nonlocal strikes
        strikes += 1
        explode()

    with monkeypatch.context() as patched:
        patched.setattr(*PLACES[place], strike)
        try:
            response = essence(CALLS[call](lab))
        except Exception as error:  # noqa: BLE001 - any error is one too many
            return strikes, f"the application got a {type(error).__name__}"
        faults = lab.cache.stats().faults
    sent = [operation for operation in lab.dynamodb.take() if operation != "DescribeTable"]
    if response != expected:
        return strikes, f"answered {response} for {expected}"
    if faults != (1 if strikes else 0):
        return strikes, f"counted {faults} for one call"
    # A batch that the cache answers in part has no whole answer to fall back on: it is asked again.
    if len(sent) > (2 if call.startswith("batch get") else 1):
        return strikes, f"sent {sent}"
    if not strikes or call not in WRITES:
        return strikes, None
    # Whatever the fault kept from being dropped or stored: what is answered now is the present state.
    lab.dynamodb.answers |= {"GetItem": made(), "Query": page(), "Scan": page()}
    stale = [read for read in ("query", "scan") if CALLS[read](lab)["Items"]]
    if CALLS["get"](lab).get("Item") not in (None, ITEM, STORED if call == "update" else None):
        stale.append("get")
    return strikes, f"stale: {stale}" if stale else None


def test_a_fault_where_a_dead_entry_is_dropped_is_kept_from_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = laboratory()
    lab.query()
    lab.cache.apply(Change(lab.caller.context.table(TABLE).id))
    lab.dynamodb.answers["Query"] = page(ITEM)
    monkeypatch.setattr(state.State, "drop_dead", explode)
    assert lab.query()["Items"] == [ITEM]
    assert lab.cache.stats().faults == 1


@pytest.mark.parametrize("place", [*PLACES, *AFTER_ERRORS])
def test_a_fault_never_hides_dynamodbs_own_error(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {}
    for code in ("ResourceNotFoundException", "InternalServerError", "AccessDeniedException"):
        for call, make in CALLS.items():
            lab = laboratory()
            for operation in {*lab.dynamodb.answers} - {"DescribeTable"}:
                lab.dynamodb.answers[operation] = refused(code)
            with monkeypatch.context() as patched:
                patched.setattr(*{**PLACES, **AFTER_ERRORS}[place], explode)
                try:
                    make(lab)
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
    lab = laboratory()
    monkeypatch.setattr(flight, "encode", explode)
    with caplog.at_level(logging.DEBUG, logger="daxlite"):
        for _ in range(3):
            assert lab.get()["Item"] == STORED
    assert lab.cache.stats().faults == 3
    assert len(caplog.records) == 1
    record = caplog.records[0]
    assert record.levelno == logging.ERROR
    assert "RuntimeError" in record.getMessage()
    assert SECRET not in caplog.text


def test_after_a_fault_the_cache_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = laboratory()
    lab.get()
    with monkeypatch.context() as patched:
        patched.setattr(state, "bumped_tags", explode)
        lab.put()
    lab.get()
    assert lab.is_hit(lab.get())


@pytest.mark.parametrize(
    "params",
    [{}, {"TableName": TABLE}, {"TableName": TABLE, "Key": None}, {"TableName": 3, "Key": KEY}, {"TableName": []}],
    ids=repr,
)
@pytest.mark.parametrize("operation", ["GetItem", "Query", "PutItem", "BatchGetItem", "BatchWriteItem", "DeleteTable"])
def test_a_request_that_is_none_is_no_fault_of_ours(operation: str, params: dict[str, Any]) -> None:
    error = ParamValidationError(report="")
    lab = Lab(**{operation: error})
    with pytest.raises(ParamValidationError) as raised:
        lab.caller.call(operation, params)
    assert raised.value is error
    assert lab.cache.stats().faults == 0
