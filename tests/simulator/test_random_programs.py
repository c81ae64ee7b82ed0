"""The model against real servers: random programs of operations, answered by both."""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import servers
from tests.simulator.programs import SHAPE, addressed, programs
from tests.simulator.server import Simulator

PROGRAMS = int(os.environ.get("DAXLITE_TEST_PROGRAMS", "0"))
"""How many random programs to run; unless given, a few that are always the same ones."""

# What a server is known to get wrong: calls that match are not made.
FLAWS = {
    "moto": {
        r"size\(": "HTTP 500 if there is nothing to measure",
        r"UPDATED_": "more, or less, than what was updated",
        r"transact.*(SET tx = gk|nx \+|list_append|\[|mx\.)": "a failing update does not cancel",
    },
    "ministack": {
        r"REMOVE (lx\[|mx\.)": "what is not there may be removed from what is not there",
        r"UPDATED_.*(\[|mx\.)|(\[|mx\.).*UPDATED_": "more than what was updated",
    },
}

_NAMES = itertools.count()


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture(scope="module")
def simulated(simulator: Simulator) -> Any:
    return simulator.client()


@settings(max_examples=PROGRAMS or 40, deadline=None, derandomize=not PROGRAMS, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_program(data: st.DataObject, backend: servers.Backend, raw: Any, simulator: Simulator, simulated: Any) -> None:
    program = data.draw(programs(transactions=backend.can("transactions")))
    simulator.reset()
    table = f"program-{next(_NAMES)}"
    for client in (raw, simulated):
        client.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **SHAPE)
        while client.describe_table(TableName=table)["Table"]["TableStatus"] != "ACTIVE":
            time.sleep(0.001)
    try:
        for call in [*program, ("scan", {})]:
            if any(re.search(flaw, str(call)) for flaw in FLAWS.get(backend.server.name, ())):
                continue
            method, request = addressed(call, table)
            expected, actual = (_outcome(client, method, request, backend.can) for client in (raw, simulated))
            assert actual == expected, f"{method}({request})"
    finally:
        raw.delete_table(TableName=table)


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
    return sorted(map(_plain, items), key=lambda item: json.dumps(item, sort_keys=True))
