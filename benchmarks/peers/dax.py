"""The official DAX client for Python, on a node that answers at once (see `benchmarks.canned_dax`)."""

import contextlib
from collections.abc import Iterator
from typing import Any

from benchmarks import canned_dax

SETTINGS = {"region_name": "us-east-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@contextlib.contextmanager
def clients() -> Iterator[tuple[Any, Any]]:
    """A client, and a resource. Raises ImportError where `amazon-dax-client` is not installed."""
    from amazondax import AmazonDaxClient  # type: ignore[import-untyped]

    with (
        canned_dax.running() as url,
        AmazonDaxClient(endpoint_url=url, **SETTINGS) as client,
        AmazonDaxClient.resource(endpoint_url=url, **SETTINGS) as resource,
    ):
        yield client, resource
