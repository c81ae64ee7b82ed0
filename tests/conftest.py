"""Fixtures that give a test a running DynamoDB-compatible server and tables of its own."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from tests import servers

pytest_plugins = ["tests.aggregation_fixtures", "tests.cache_fixtures", "tests.valkey_fixtures"]

MakeTable = Callable[..., str]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*capabilities): not collected for a server that lacks one of them")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        names = [server.name for server in servers.chosen()]
        metafunc.parametrize("backend", names, indirect=True, scope="session")


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


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Iterator[servers.Backend]:
    """One running server of each kind that this run was asked to use."""
    with servers.running(servers.SERVERS[request.param]) as running:
        yield running


@pytest.fixture(scope="session")
def endpoint(backend: servers.Backend) -> str:
    return backend.endpoint


@pytest.fixture(scope="session")
def raw(endpoint: str) -> Iterator[Any]:
    """A plain boto3 client, with no cache."""
    client = boto3.client("dynamodb", **servers.connection(endpoint))
    yield client
    client.close()


@pytest.fixture(scope="session")
def raw_resource(endpoint: str) -> Iterator[Any]:
    """A plain boto3 resource, with no cache."""
    resource = boto3.resource("dynamodb", **servers.connection(endpoint))
    yield resource
    resource.meta.client.close()


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
