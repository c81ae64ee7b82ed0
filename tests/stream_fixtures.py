"""Fixtures that give a test a moto server with streams, and tables on it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest

from tests import servers

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """One server for all tests of this process. It takes many requests at once, and has streams."""
    with servers.running(servers.SERVERS["moto"]) as backend:
        yield backend.endpoint


@pytest.fixture(scope="session")
def other_program(moto_url: str) -> Iterator[Any]:
    """A plain client, as a program without daxlite has it."""
    client = boto3.client("dynamodb", **servers.connection(moto_url))
    yield client
    client.close()


def create(client: Any, name: str, stream: dict[str, Any] | None = STREAM) -> None:
    """A table with one key attribute, the string pk."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        **({} if stream is None else {"StreamSpecification": stream}),
    )


@pytest.fixture
def streamed(other_program: Any) -> Iterator[Callable[..., str]]:
    """`streamed()` creates a table with a stream, `streamed(None)` one without, and returns its name."""
    names = []

    def make(stream: dict[str, Any] | None = STREAM) -> str:
        name = f"followed-{uuid.uuid4().hex[:12]}"
        create(other_program, name, stream)
        names.append(name)
        return name

    yield make
    for name in names:
        with suppress(other_program.exceptions.ResourceNotFoundException):
            other_program.delete_table(TableName=name)
