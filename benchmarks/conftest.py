"""A DynamoDB server on loopback for the calls that miss."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests import servers


@pytest.fixture(scope="session")
def raw() -> Iterator[Any]:
    with servers.running(servers.SERVERS["moto"]) as backend:
        client = boto3.client("dynamodb", **servers.connection(backend.endpoint))
        yield client
        client.close()
