"""A crowd for each test that asks for one."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.calls.crowd import Crowd


@pytest.fixture(scope="module")
def shared_client() -> Iterator[Any]:
    made = boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="AKIA",
        aws_secret_access_key="-",
        endpoint_url="http://127.0.0.1:1",
    )
    yield made
    made.close()


@pytest.fixture
def crowd(shared_client: Any) -> Iterator[Crowd]:
    made = Crowd(shared_client)
    yield made
    made.latch.open()
    del shared_client._make_api_call
