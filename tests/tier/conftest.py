"""Fixtures: two processes, and what they share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import MakeTable
from tests.tier.crew import Process, processes
from tests.tier.worker import Setup
from tests.valkey import Valkey


@pytest.fixture(scope="session")
def crew() -> Iterator[list[Process]]:
    """Two processes for all tests; `pair` gives each test new caches in them."""
    with processes(2) as two:
        yield two


@pytest.fixture
def setup(endpoint: str, valkey: Valkey, namespace: str, only_own_keys: None) -> Setup:
    return Setup(endpoint, valkey.url, namespace)


@pytest.fixture
def table(make_table: MakeTable) -> str:
    """A table with a sort key, a local index and a global one."""
    return make_table(
        "tier",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "own", "to", "at")
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-own",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "own", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-to",
                "KeySchema": [{"AttributeName": "to", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


@pytest.fixture
def pair(crew: list[Process], setup: Setup, table: str) -> Iterator[tuple[Process, Process]]:
    """Two processes that share a tier and hear of each other."""
    first, second = crew
    for each in crew:
        each.ask("open", setup)
        listening(each, table)
    yield first, second
    for each in crew:
        assert each.ask("faults") == 0, "daxlite failed, and hid it"
        each.ask("close")


def listening(process: Process, table: str) -> None:
    """Have a process come to know a table, and wait until it hears of its changes."""
    process.call("get_item", TableName=table, Key={"pk": {"S": "nobody"}, "sk": {"S": "0"}})
    process.ask("hears", table)
