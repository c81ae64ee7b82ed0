"""`cache_of`: the cache behind what a program has."""

from typing import Any

import boto3
import botocore.session
import pytest

import daxlite
from daxlite import Cache
from tests.scripted_client import TABLE
from tests.wrapping.wire import HERE


def test_of_what_is_wrapped(client: Any, resource: Any, cache: Cache) -> None:
    session = daxlite.wrap(boto3.Session(region_name="eu-west-1"), cache)
    made_by_it = session.client("dynamodb", **HERE)
    things = (
        daxlite.wrap(client, cache),
        daxlite.wrap(resource, cache),
        daxlite.wrap(resource.Table(TABLE), cache),
        daxlite.wrap(resource, cache).Table(TABLE),
        session,
        made_by_it,
        daxlite.wrap(botocore.session.get_session(), cache),
    )
    for thing in things:
        assert daxlite.cache_of(thing) is cache
    made_by_it.close()
    own = daxlite.cache_of(daxlite.wrap(client))
    assert isinstance(own, Cache)
    assert own is not cache


def test_of_what_is_installed(client: Any, resource: Any, s3: Any, cache: Cache) -> None:
    own = Cache()
    plain = (client, resource, resource.Table(TABLE), boto3.Session(), botocore.session.get_session())
    for thing in plain:
        with pytest.raises(TypeError, match="has no cache: it is not wrapped, and daxlite is not installed"):
            daxlite.cache_of(thing)
    daxlite.install(cache)
    for thing in plain:
        assert daxlite.cache_of(thing) is cache
    assert daxlite.cache_of(daxlite.wrap(client, own)) is own
    for thing in (s3, boto3.resource("sqs", **HERE)):
        with pytest.raises(TypeError, match="has no cache; it must be a DynamoDB client, resource or Table, or a"):
            daxlite.cache_of(thing)
    daxlite.uninstall()
    with pytest.raises(TypeError, match="not installed"):
        daxlite.cache_of(client)


def test_what_has_none_is_named_by_its_type(client: Any) -> None:
    paginator = daxlite.wrap(client).get_paginator("scan")
    for thing in (None, 3, {"password": "s3cret"}, paginator, boto3, Cache()):
        with pytest.raises(TypeError, match="has no cache; it must be a DynamoDB client") as refused:
            daxlite.cache_of(thing)
        assert "s3cret" not in str(refused.value)
