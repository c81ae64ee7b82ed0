"""Hits of results that are kept in Redis, beside a GET that does nothing else."""

import asyncio
import contextlib

import msgspec
import pytest
import redis.asyncio

from benchmarks.conftest import Compare
from benchmarks.interleave import AsyncCase, Case
from benchmarks.peers import aggregations, aiocache, bare_redis, cashews, dogpile
from benchmarks.peers.revenue import EXPECTED
from tests.valkey import Valkey

VALUE = msgspec.msgpack.encode(EXPECTED)
MIB = 1024 * 1024


# What the peers still call is their business.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_aggregation(compare: Compare, valkey: Valkey) -> None:
    missing = {}
    with contextlib.ExitStack() as stack:
        cases: list[Case | AsyncCase] = [
            Case("redis-py, bare GET", bare_redis.get(stack.enter_context(redis.Redis.from_url(valkey.url)), VALUE)),
            Case("daxlite, shared hit", stack.enter_context(aggregations.hit(valkey.url, near_bytes=0))),
            Case("daxlite, near hit", stack.enter_context(aggregations.hit(valkey.url, near_bytes=MIB))),
        ]
        try:
            cases.append(Case("dogpile.cache", dogpile.hit(valkey.url)))
        except ImportError:
            missing["dogpile.cache"] = "not installed"
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        run = loop.run_until_complete
        client = redis.asyncio.Redis.from_url(valkey.url)
        stack.callback(lambda: run(client.aclose()))
        cases += [
            AsyncCase("redis-py for asyncio, bare GET", bare_redis.async_get(client), loop),
            AsyncCase(
                "daxlite for asyncio, shared hit", stack.enter_context(aggregations.async_hit(valkey.url, run)), loop
            ),
        ]
        for name, peer in (("cashews (asyncio)", cashews), ("aiocache (asyncio)", aiocache)):
            try:
                cases.append(AsyncCase(name, stack.enter_context(peer.hit(valkey.url, run)), loop))
            except ImportError:
                missing[name] = "not installed"
        compare(cases, share=2, not_measured=missing)
