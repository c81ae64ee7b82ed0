"""The fixture that scenarios run in."""

from __future__ import annotations

from typing import Any

import pytest

import daxlite
from tests import servers
from tests.conftest import MakeTable
from tests.differential.harness import Harness
from tests.edges import AsyncClient, Awaited


@pytest.fixture
def harness(
    backend: servers.Backend,
    raw: Any,
    raw_resource: Any,
    make_table: MakeTable,
    edge: str,
    request: pytest.FixtureRequest,
) -> Harness:
    """A server, with one cache that the wrapped client and the wrapped resource share. The client is one of the edge;
    the resource is boto3's."""
    cache = daxlite.Cache(daxlite.CacheConfig(item_ttl=300.0, query_ttl=300.0))
    in_a_task: AsyncClient | None = request.getfixturevalue("async_client") if edge == "asyncio" else None

    def wrap(target: Any) -> Any:
        if in_a_task is not None and target is raw:
            return Awaited(daxlite.wrap(in_a_task.client, cache=cache), in_a_task.loop.run)
        return daxlite.wrap(target, cache=cache)

    return Harness(raw, raw_resource, make_table, wrap, backend.can)
