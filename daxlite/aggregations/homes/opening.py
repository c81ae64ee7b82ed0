"""Opens the home that a server stands for."""

from importlib.util import find_spec
from typing import Any

from ..settings import AggregationConfig
from .home import Clock, Home


def home_in_redis(server: Any, namespace: str, config: AggregationConfig, clock: Clock, wall_clock: Clock) -> Home:
    """For threads. Raises TypeError or ValueError for what is no server, ModuleNotFoundError without redis."""
    _check_redis()
    # Imported here because it imports redis, which a cache of one process need not have.
    from ...shared.connections import connections_of
    from .in_redis import InRedis

    return InRedis(connections_of(server, config.timeout, clock), namespace, config, clock, wall_clock)


def async_home_in_redis(
    server: Any, namespace: str, config: AggregationConfig, clock: Clock, wall_clock: Clock, sync_client: Any
) -> Home:
    """The same for asyncio."""
    _check_redis()
    from ...shared.connections import async_connections_of
    from .in_redis import InRedis

    connections = async_connections_of(server, config.timeout, clock, sync_client)
    return InRedis(connections, namespace, config, clock, wall_clock)


def _check_redis() -> None:
    if find_spec("redis") is None:
        raise ModuleNotFoundError('redis is not installed: pip install "daxlite[redis]"', name="redis")
