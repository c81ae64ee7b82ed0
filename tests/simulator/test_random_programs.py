"""The model against real servers: random programs of operations, answered by both."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import servers
from tests.conftest import MakeTable
from tests.differential.tables import attributes, keys
from tests.simulator.programs import RICH, SHAPE, Call, addressed, programs
from tests.simulator.server import Simulator
from tests.volume import amount, is_short

# What a server is known to get wrong: calls that match are not made.
FLAWS = {
    "moto": {
        r"size\(": "HTTP 500 if there is nothing to measure",
        r"UPDATED_": "more, or less, than what was updated",
        r"lx\[0\] (BETWEEN|<|>)": "HTTP 500 where values of two types meet",
        r"transact.*(SET tx = gk|nx \+|list_append|\[|mx\.)": "a failing update does not cancel",
    },
    "dynalite": {r"REMOVE lx\[\d\],": "the places of a list shift while its members are removed"},
    "ministack": {
        r"REMOVE (lx\[|mx\.)": "what is not there may be removed from what is not there",
        r"UPDATED_.*(\[|mx\.)|(\[|mx\.).*UPDATED_": "more than what was updated",
    },
}

_NAMES = itertools.count()


# The short form runs programs that are always the same ones.
@settings(
    max_examples=amount("programs of the simulator"),
    derandomize=is_short(),
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_program(data: st.DataObject, backend: servers.Backend, raw: Any, shared: tuple[Simulator, Any]) -> None:
    simulator, simulated = shared
    program = data.draw(programs(transactions=backend.can("transactions")))
    simulator.reset()
    table = f"program-{next(_NAMES)}"
    for client in (raw, simulated):
        client.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **SHAPE)
        while client.describe_table(TableName=table)["Table"]["TableStatus"] != "ACTIVE":
            time.sleep(0.001)
    try:
        first: Call = ("batch_write_item", {"RequestItems": [{"PutRequest": {"Item": item}} for item in RICH[:2]]})
        for call in [first, *program, ("scan", {})]:
            if any(re.search(flaw, str(call)) for flaw in FLAWS.get(backend.server.name, ())):
                continue
            method, request = addressed(call, table)
            expected, actual = (_outcome(client, method, request, backend.can) for client in (raw, simulated))
            assert actual == expected, f"{method}({request})"
    finally:
        raw.delete_table(TableName=table)


VALUES: dict[str, Any] = {
    ":one": {"N": "1"},
    ":ten": {"N": "10"},
    ":text": {"S": "a"},
    ":bytes": {"B": b"a"},
    ":true": {"BOOL": True},
    ":set": {"SS": ["y", "x"]},
    ":list": {"L": []},
}
FILTERS = (
    *(f"nx {sign} :ten" for sign in ("=", "<>", "<", "<=", ">", ">=")),
    *(f"tx {sign} :text" for sign in ("=", "<>", "<", ">")),
    "tx = :true",
    "sx = :set",
    "lx = :list",
    "sx <> :set",
    "tx BETWEEN :text AND tx",
    "px BETWEEN :one AND :ten",
    "tx IN (:text, :true, :one)",
    "NOT tx IN (:text, :true)",
    "begins_with(tx, :text)",
    "begins_with(tx, :bytes)",
    "contains(tx, :text)",
    "contains(sx, :one)",
    "contains(lx, :one)",
    "contains(lx, :text)",
    "contains(mx.bb, :text)",
    "attribute_exists(lx[3])",
    "attribute_not_exists(mx.cc)",
    "attribute_exists(mx.cc[1])",
    "lx[0] = :one OR mx.aa > :one",
    "NOT (lx[0] = :one AND mx.aa > :one)",
    "attribute_exists(tx) AND attribute_exists(gk) OR attribute_exists(sx)",
    "px > nx",
)


# HTTP 500 where values of two types meet.
_MIXED = {f"nx {sign} :ten" for sign in ("<", "<=", ">", ">=")} | {"tx < :text", "tx > :text", "px > nx"}
# The filters that a server is known to get wrong.
FILTER_FLAWS: dict[str, set[str]] = {
    "moto": {*_MIXED, "tx BETWEEN :text AND tx", "begins_with(tx, :bytes)"},
    "ministack": {"begins_with(tx, :text)", "begins_with(tx, :bytes)"},
}


def test_filters(backend: servers.Backend, raw: Any, shared: tuple[Simulator, Any], make_table: MakeTable) -> None:
    """Each form of a condition, on items of every type."""
    simulator, simulated = shared
    simulator.reset()
    table = make_table("filters", **SHAPE)
    simulated.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **SHAPE)
    for client in (raw, simulated):
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in RICH]})
    different = set()
    for text in FILTERS:
        values = {name: value for name, value in VALUES.items() if re.search(rf"{name}\b", text)}
        request: dict[str, Any] = {"TableName": table, "FilterExpression": text}
        if values:
            request["ExpressionAttributeValues"] = values
        expected, actual = (_outcome(client, "scan", request, backend.can) for client in (raw, simulated))
        if actual != expected:
            different.add(text)
    assert different == FILTER_FLAWS.get(backend.server.name, set())


@pytest.mark.needs("numbers")
def test_numbers(raw: Any, shared: tuple[Simulator, Any], make_table: MakeTable) -> None:
    """Each number has one form; some have none."""
    simulator, simulated = shared
    simulator.reset()
    name = make_table("numbers")
    key = {"pk": {"S": "k"}}
    simulated.create_table(TableName=name, KeySchema=keys("pk"), AttributeDefinitions=attributes(pk="S"), **ON_DEMAND)
    for text in ("1.0", "1.50", "-0", "007", ".5", "1e3", "1E-3", "123456789012345678901234567890.12345678"):
        found = []
        for client in (raw, simulated):
            client.put_item(TableName=name, Item={**key, "n": {"N": text}, "s": {"NS": [text, "8"]}})
            item = client.get_item(TableName=name, Key=key)["Item"]
            found.append([item["n"], sorted(item["s"]["NS"])])
        assert found[0] == found[1], text
    for text in ("", "x", "1" * 39, "1e126", "1e-131", "NaN", "Infinity", "1_0"):
        for client in (raw, simulated):
            with pytest.raises(ClientError, match="ValidationException"):
                client.put_item(TableName=name, Item={**key, "n": {"N": text}})


ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}


def _outcome(client: Any, method: str, request: dict[str, Any], can: Callable[[str], bool]) -> Any:
    try:
        pages = list(_pages(client, method, request))
    except ClientError as error:
        response: Any = error.response
        reasons = [[reason["Code"], reason.get("Item")] for reason in response.get("CancellationReasons", ())]
        shown = _plain(response.get("Item")) if can("condition_items") else None
        return [response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], shown, _plain(reasons)]
    if method not in ("query", "scan"):
        (answer,) = pages
        if method == "batch_get_item":
            (answer["Responses"],) = [_unordered(items) for items in answer["Responses"].values()]
        for member in ("ResponseMetadata", "ItemCollectionMetrics", "ConsumedCapacity"):
            answer.pop(member, None)
        if not answer.get("Attributes"):
            answer.pop("Attributes", None)
        return _plain(answer)
    # Where pages end is left to servers, by what they think of a Limit; and the order of equal sort keys.
    items = [item for page in pages for item in page.get("Items", ())]
    in_order = method == "query" and "IndexName" not in request and "ProjectionExpression" not in request
    return {
        "Count": sum(page["Count"] for page in pages),
        "ScannedCount": sum(page["ScannedCount"] for page in pages),
        "Items": _plain(items) if in_order else _unordered(items),
        "sorted": [item.get("px") for item in items]
        if request.get("IndexName") in ("by-px", "by-gk") and method == "query"
        else [],
    }


def _pages(client: Any, method: str, request: dict[str, Any]) -> Iterator[Any]:
    while True:
        answer = getattr(client, method)(**request)
        yield answer
        if "LastEvaluatedKey" not in answer:
            return
        request = {**request, "ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _plain(value: Any) -> Any:
    """With the members of sets in one order."""
    if isinstance(value, dict):
        return {
            name: sorted(member) if name in ("SS", "NS", "BS") else _plain(member) for name, member in value.items()
        }
    return [_plain(member) for member in value] if isinstance(value, list) else value


def _unordered(items: list[Any]) -> list[Any]:
    return sorted(map(_plain, items), key=lambda item: json.dumps(item, sort_keys=True, default=repr))
