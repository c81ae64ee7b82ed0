"""Fixtures that give a test a running DynamoDB-compatible server and tables of its own."""

from __future__ import annotations

import contextlib
import gc
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from daxlite.demo.server import embedded_server
from tests import servers, volume
from tests.edges import EDGES

pytest_plugins = [
    "tests.aggregation_fixtures",
    "tests.cache_fixtures",
    "tests.raw_fixtures",
    "tests.stream_fixtures",
    "tests.valkey_fixtures",
]

MakeTable = Callable[..., str]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--edges", default=",".join(EDGES), help="the edges to test, with commas between them")
    parser.addoption("--volume", type=float, default=1.0, help="do this many times what `make test` does")


def pytest_configure(config: pytest.Config) -> None:
    volume.set_volume(config.getoption("--volume"))
    config.addinivalue_line("markers", "needs(*capabilities): not collected for a server that lacks one of them")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "edge" in metafunc.fixturenames:
        metafunc.parametrize("edge", chosen_edges(metafunc.config), scope="session")
    if "backend" in metafunc.fixturenames:
        names = [server.name for server in servers.chosen()]
        metafunc.parametrize("backend", names, indirect=True, scope="session")


def chosen_edges(config: pytest.Config) -> list[str]:
    """The edges that this run was asked to test. Raises UsageError for one that there is not."""
    chosen = str(config.getoption("--edges")).split(",")
    if unknown := set(chosen) - set(EDGES):
        raise pytest.UsageError(f"--edges: {sorted(unknown)} is none of {EDGES}")
    return chosen


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a server, and leave out what a server is known to get wrong."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        params = getattr(item, "callspec", None)
        if params is None or "backend" not in params.params:
            kept.append(item)
            continue
        item.add_marker("backend")
        lacks = servers.SERVERS[params.params["backend"]].lacks
        needs = {need for mark in item.iter_markers("needs") for need in mark.args}
        if unknown := needs - servers.CAPABILITIES.keys():
            raise pytest.UsageError(f"{item.nodeid} needs what is not a capability: {sorted(unknown)}")
        (left_out if needs & lacks.keys() else kept).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Exempt what is collected from garbage collection: half a million objects that live to the end, through which
    each full collection would go again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """The URL of the demo's DynamoDB server, one for all tests of this process: leave no table behind."""
    with embedded_server() as url:
        yield url


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Iterator[servers.Backend]:
    """One running server of each kind that this run was asked to use."""
    with servers.running(servers.SERVERS[request.param]) as running:
        yield running


@pytest.fixture(scope="session")
def endpoint(backend: servers.Backend) -> str:
    return backend.endpoint


@pytest.fixture(scope="session")
def connection(endpoint: str) -> dict[str, Any]:
    """How to make a client or a resource of the server."""
    return servers.connection(endpoint)


@pytest.fixture
def make_table(raw: Any) -> Iterator[MakeTable]:
    """``make_table("prefix", KeySchema=[...], ...)`` creates a table that no other test has, and returns its name.

    Without arguments the table has one key attribute, the string ``pk``. It is deleted after the test.
    """
    names: list[str] = []

    def make(prefix: str = "table", **request: Any) -> str:
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        request.setdefault("KeySchema", [{"AttributeName": "pk", "KeyType": "HASH"}])
        request.setdefault("AttributeDefinitions", [{"AttributeName": "pk", "AttributeType": "S"}])
        request.setdefault("BillingMode", "PAY_PER_REQUEST")
        table = raw.create_table(TableName=name, **request)["TableDescription"]
        names.append(name)
        while table["TableStatus"] != "ACTIVE":
            time.sleep(0.005)
            table = raw.describe_table(TableName=name)["Table"]
        return name

    yield make
    for name in names:
        with contextlib.suppress(raw.exceptions.ResourceNotFoundException):
            raw.delete_table(TableName=name)
