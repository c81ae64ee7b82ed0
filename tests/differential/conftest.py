"""The fixture that scenarios run in."""

from __future__ import annotations

from typing import Any

import pytest

import daxlite
from tests import servers
from tests.conftest import MakeTable
from tests.differential.harness import Harness


@pytest.fixture
def harness(backend: servers.Backend, raw: Any, raw_resource: Any, make_table: MakeTable) -> Harness:
    """A server, with one cache that the wrapped client and the wrapped resource share."""
    cache = daxlite.Cache(daxlite.CacheConfig(item_ttl=300.0, query_ttl=300.0))
    return Harness(raw, raw_resource, make_table, lambda target: daxlite.wrap(target, cache=cache), backend.can)
