"""redis-py alone: one GET."""

from collections.abc import Awaitable, Callable
from functools import partial

import redis
import redis.asyncio

from benchmarks.interleave import Call

NAME = "bare"


def get(server: redis.Redis, value: bytes) -> Call:
    server.set(NAME, value)
    return partial(server.get, NAME)


def async_get(server: "redis.asyncio.Redis") -> Callable[[], Awaitable[object]]:
    """After `get`, which puts the value there."""
    return partial(server.get, NAME)
