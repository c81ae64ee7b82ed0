"""Fixtures of the shared tier."""

import time
from collections.abc import Iterator

import fakeredis
import pytest

from daxlite.shared.script_forms import ALLOW_OOM
from tests.aggregations.scripted import Client, Server
from tests.shared.script_bench import Bench
from tests.valkey import Valkey, running_valkey


@pytest.fixture(scope="session")
def valkey_for_scripts() -> Iterator[Valkey]:
    """A server that each of these tests finds empty."""
    with running_valkey() as server:
        yield server


@pytest.fixture(params=["valkey", "without header", "fakeredis", "scripted"])
def bench(request: pytest.FixtureRequest, valkey_for_scripts: Valkey) -> Iterator[Bench]:
    if request.param in ("fakeredis", "scripted"):
        yield Bench(fakeredis.FakeRedis() if request.param == "fakeredis" else Client(Server(time.time)), "")
        return
    with valkey_for_scripts.client() as client:
        client.flushall()
        yield Bench(client, ALLOW_OOM if request.param == "valkey" else "")
