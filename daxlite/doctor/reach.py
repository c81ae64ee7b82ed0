"""The client for a URL, and the servers behind it: one, the primary that sentinels name, or a cluster's primaries."""

from contextlib import suppress
from typing import Any, Final

from redis import RedisCluster
from redis.exceptions import NoPermissionError, ResponseError
from redis.sentinel import Sentinel
from redis.utils import str_if_bytes

from ..shared.clients import client_of
from .facts import Topology

TIMEOUT: Final = 3.0
"""Seconds for a connection, and for a reply."""


class Reached:
    """The client to use, and one for each server."""

    def __init__(self, topology: Topology, client: Any, nodes: dict[str, Any]) -> None:
        self.topology: Topology = topology
        self.client = client
        self.nodes = nodes
        """By host and port."""

    @property
    def is_cluster(self) -> bool:
        return self.topology == "cluster"

    def close(self) -> None:
        """Close all connections."""
        for each in self.nodes.values():
            each.connection_pool.disconnect()  # a node's client leaves that to its cluster's, which may have lost it
        self.client.close()


def reach(url: str, group: str | None = None) -> Reached:
    """Find out what answers at a URL. group: of several groups of servers that a sentinel watches, the one that is
    meant. Raises ValueError for a URL or a group that is none, and one of `failures.FAILURES`."""
    client = client_of(url, TIMEOUT)
    mode = _mode(client)
    if mode == "cluster":
        cluster = RedisCluster.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
        client.close()
        nodes = {str(node.name): cluster.get_redis_connection(node) for node in cluster.get_primaries()}
        return Reached("cluster", cluster, nodes)
    settings = client.connection_pool.connection_kwargs
    address = str(settings["path"] if "path" in settings else f"{settings['host']}:{settings['port']}")
    if mode != "sentinel":
        return Reached("one server", client, {address: client})
    primary = _primary(client, group)
    host, port = primary.connection_pool.get_master_address()
    return Reached("sentinels", primary, {f"{host}:{port}": primary})


def answers(client: Any) -> None:
    """Raise one of `failures.FAILURES` if a server does not answer. That the user may not ask is an answer."""
    with suppress(NoPermissionError):
        client.ping()


def _mode(client: Any) -> str:
    """What a server takes itself for; empty where it does not say. Raises one of `failures.FAILURES` if it does not
    answer."""
    try:
        info = client.info("server")
    except ResponseError:
        answers(client)  # INFO is refused, as a user may be; a wrong password shows here
        return ""
    return str(info.get("server_mode") or info.get("redis_mode", ""))


def _primary(sentinel: Any, group: str | None) -> Any:
    """A client of the primary that a sentinel names."""
    groups = [str_if_bytes(name) for name in sentinel.sentinel_masters()]
    if group is None and len(groups) == 1:
        (group,) = groups
    if group not in groups:
        raise ValueError(
            f"this is a sentinel; give one of the groups that it watches with --group: {', '.join(groups)}"
        )
    settings = sentinel.connection_pool.connection_kwargs
    given = {name: settings[name] for name in ("username", "password") if settings.get(name)}
    times = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    host = [(settings["host"], settings["port"])]
    client = Sentinel(host, sentinel_kwargs={**given, **times}, **given, **times).master_for(group)
    sentinel.close()
    return client
