"""A DynamoDB server on loopback, and a client of it, plain and wrapped."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

import daxlite
from benchmarks.items import make_table
from tests import servers


@pytest.fixture(scope="session")
def connection() -> Iterator[dict[str, Any]]:
    with servers.running(servers.SERVERS["moto"]) as backend:
        yield servers.connection(backend.endpoint)


@pytest.fixture(scope="session")
def raw(connection: dict[str, Any]) -> Iterator[Any]:
    client = boto3.client("dynamodb", **connection)
    make_table(client)
    yield client
    client.close()


@pytest.fixture
def client(raw: Any) -> Any:
    return daxlite.wrap(raw)


@pytest.fixture
def resource(raw: Any, connection: dict[str, Any]) -> Iterator[Any]:
    resource = boto3.resource("dynamodb", **connection)
    yield resource
    resource.meta.client.close()
