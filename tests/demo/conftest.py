"""Demo runs that start fewer servers."""

from contextlib import nullcontext

import pytest

from daxlite import demo
from daxlite.demo import redis_servers


@pytest.fixture
def fakeredis_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo finds no Valkey server: it takes fakeredis, and starts no second process."""
    monkeypatch.setattr(redis_servers, "binary", lambda: None)


@pytest.fixture
def dynamodb_started(embedded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo takes a DynamoDB server that runs already for its own."""
    monkeypatch.setattr(demo, "embedded_server", lambda: nullcontext(embedded))
