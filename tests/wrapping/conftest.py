"""Clients and resources that are not connected to anything."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.wrapping.wire import HERE


@pytest.fixture
def client() -> Iterator[Any]:
    made = boto3.client("dynamodb", **HERE)
    yield made
    made.close()


@pytest.fixture
def resource() -> Iterator[Any]:
    made = boto3.resource("dynamodb", **HERE)
    yield made
    made.meta.client.close()


@pytest.fixture
def s3() -> Iterator[Any]:
    made = boto3.client("s3", **HERE)
    yield made
    made.close()
