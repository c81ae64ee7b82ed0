"""Fixtures for plain boto3 objects, with no cache. They connect as the fixture `connection` says."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.edges import AsyncClient


@pytest.fixture(scope="session")
def raw(connection: dict[str, Any]) -> Iterator[Any]:
    """A plain boto3 client."""
    client = boto3.client("dynamodb", **connection)
    yield client
    client.close()


@pytest.fixture(scope="session")
def raw_resource(connection: dict[str, Any]) -> Iterator[Any]:
    """A plain boto3 resource."""
    resource = boto3.resource("dynamodb", **connection)
    yield resource
    resource.meta.client.close()


@pytest.fixture(scope="session")
def async_client(connection: dict[str, Any]) -> Iterator[AsyncClient]:
    """A plain client of aiobotocore, in an event loop of its own."""
    client = AsyncClient(connection)
    yield client
    client.close()
