"""Nothing stays installed after a test, and botocore's class is as it was. The caches of a test are those of one
process."""

from collections.abc import Iterator

import pytest
from botocore.client import BaseClient

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from tests.cache_fixtures import process
from tests.scripted_client import TABLE
from tests.wrapping.conftest import client, resource, s3

__all__ = ["client", "resource", "s3"]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    method = vars(BaseClient)["_make_api_call"]
    with process():
        yield
    daxlite.uninstall()
    left, BaseClient._make_api_call = vars(BaseClient)["_make_api_call"], method  # type: ignore[attr-defined]
    assert left is method


@pytest.fixture
def cache() -> Cache:
    """One that knows the table's keys, and that sends no strongly consistent reads."""
    known = TableConfig(schema=TableSchema(KeySchema.of("pk")))
    return Cache(CacheConfig(settle_window=0, jitter=0, tables={TABLE: known, "Other": known}))
