"""P4 at scale: a write leaves other partitions' cached queries alone, and costs no more for their being there."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest

import daxlite
from daxlite.calls.context import Context
from daxlite.calls.dialects import Typed
from daxlite.core.tables import Scope
from daxlite.edges.dispatcher import Dispatcher
from tests.calls.scripted import TABLE, description, made


class Laboratory:
    """A wrapped DynamoDB that answers at once."""

    def __init__(self) -> None:
        self.cache = daxlite.Cache(daxlite.CacheConfig(settle_window=0))
        self.sent: list[str] = []
        names = self.cache.names(Scope("http://127.0.0.1", "nowhere", "key"))
        self.caller = Dispatcher(Context(self.cache, Typed(), names), self.send)

    def send(self, operation: str, params: Any) -> Any:
        self.sent.append(operation)
        if operation == "DescribeTable":
            return description("pk", "sk", indexes={"by_owner": ("owner",)})
        return made(Items=[], Count=0, ScannedCount=0) if operation == "Query" else made()

    def query(self, partition: str) -> None:
        values = {":p": {"S": partition}}
        request = {"TableName": TABLE, "KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": values}
        self.caller.call("Query", request)

    def put(self, partition: str) -> None:
        item = {"pk": {"S": partition}, "sk": {"S": "1"}, "owner": {"S": "ann"}}
        self.caller.call("PutItem", {"TableName": TABLE, "Item": item})


def steps_of(function: Callable[[], None]) -> int:
    """How many functions, of Python's and of C's, a call calls: its work, on any machine."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.disable()  # what it collects here, and calls, is of other tests
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


@pytest.fixture(scope="module")
def work() -> dict[int, int]:
    """The work of one PutItem beside so many cached queries of other partitions, which it must leave alone."""
    work = {}
    for queries in (100, 10_000):
        lab = Laboratory()
        for number in range(queries):
            lab.query(f"partition {number}")
        lab.query("mine")
        lab.put("mine")  # what is done once for a table is done
        lab.query("mine")
        work[queries] = steps_of(lambda lab=lab: lab.put("mine"))  # type: ignore[misc]
        lab.sent.clear()
        for number in range(queries):
            lab.query(f"partition {number}")
        assert lab.sent == [], "a query that the write could not change was dropped"
        lab.query("mine")
        assert lab.sent == ["Query"], "the query that the write changed was not dropped"
    return work


def test_p4_a_write_leaves_ten_thousand_other_queries_and_costs_no_more_for_them(work: dict[int, int]) -> None:
    assert work[10_000] == work[100]
