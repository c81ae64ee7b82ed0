"""P4 at scale: a write leaves the cached queries of other partitions alone, and costs no more for their number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.collector import profiled
from tests.scripted_client import ScriptedClient, description, made, page


def client_of_empty_table() -> ScriptedClient:
    """A client whose DynamoDB answers at once, with nothing."""
    return ScriptedClient(
        schema=None,
        config={"settle_window": 0},
        DescribeTable=description("pk", "sk", indexes={"by_owner": ("owner",)}),
        Query=page(),
        PutItem=made(),
    )


def item(partition: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": "1"}, "owner": {"S": "ann"}}


def steps_of(function: Callable[[], None]) -> int:
    """How many functions, in Python and in C, a call enters: the same number on any machine."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    with profiled(note):
        function()
    return count


@pytest.fixture(scope="module")
def work() -> dict[int, int]:
    """The work of one PutItem, by the number of cached queries of other partitions, which it must leave alone."""
    work = {}
    for queries in (100, 10_000):
        client = client_of_empty_table()
        for number in range(queries):
            client.query(value={"S": f"partition {number}"})
        client.query(value={"S": "mine"})
        client.put(item("mine"))  # what is done once for a table is done
        client.query(value={"S": "mine"})
        work[queries] = steps_of(lambda client=client: client.put(item("mine")))  # type: ignore[misc]
        client.dynamodb.take()
        for number in range(queries):
            client.query(value={"S": f"partition {number}"})
        assert client.dynamodb.take() == [], "a query that the write could not change was dropped"
        client.query(value={"S": "mine"})
        assert client.dynamodb.take() == ["Query"], "the query that the write changed was not dropped"
    return work


def test_p4_a_write_leaves_ten_thousand_other_queries_and_costs_no_more_for_them(work: dict[int, int]) -> None:
    assert work[10_000] == work[100]
