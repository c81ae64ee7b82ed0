"""From what the application gives, a URL or a client of its own, to the clients that are used."""

from typing import Any, Final

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

Client = redis.Redis | redis.RedisCluster
AsyncClient = redis.asyncio.Redis | redis.asyncio.RedisCluster

_SYNC: Final = 'a URL such as "redis://localhost:6379/0", a redis.Redis or a redis.RedisCluster'
_ASYNC: Final = "a URL, a redis.asyncio.Redis or a redis.asyncio.RedisCluster"


def client_of(server: Any, timeout: float) -> Any:
    """A client for threads. One of the application's is used as it is, with its own timeouts and retries.

    Raises TypeError for what is none, ValueError for a URL that is none.
    """
    if isinstance(server, str):
        # A connection that broke while it lay in the pool is worth a second attempt at once; a server that does not
        # answer in time is not.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        times: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        return _checked(redis.Redis.from_url(server, retry=retry, **times))
    if isinstance(server, AsyncClient):
        raise TypeError("this is a client of asyncio: AsyncAggregationCache takes it")
    if not isinstance(server, Client):
        raise TypeError(f"server is {type(server).__name__}; it must be {_SYNC}")
    return _checked(server)


def async_client_of(server: Any, timeout: float) -> Any:
    """The same for asyncio."""
    if isinstance(server, str):
        retry = AsyncRetry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        times: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        return _checked(redis.asyncio.Redis.from_url(server, retry=retry, **times))
    if not isinstance(server, AsyncClient):
        raise TypeError(f"server is {type(server).__name__}; it must be {_ASYNC}")
    return _checked(server)


def _checked(client: Any) -> Any:
    if client.get_encoder().decode_responses:
        raise ValueError("this client has decode_responses=True; results are bytes, which it would take for text")
    # A replica may still have a stamp that is gone, and show an old result as true.
    strategy = getattr(client, "load_balancing_strategy", None)
    if strategy is not None or getattr(client, "read_from_replicas", False):
        raise ValueError("this client reads from replicas, which may be behind; daxlite must read what it has written")
    if not getattr(getattr(client, "connection_pool", None), "is_master", True):
        raise ValueError("this client is of a Sentinel's replicas, which take no writes; give it master_for(...)")
    return client
