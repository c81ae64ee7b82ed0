"""What a server says of itself, and whether it is one: behind a proxy there may be several."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from redis.exceptions import ResponseError
from redis.utils import str_if_bytes

from ..shared.obstacles import foreseen
from .facts import Node
from .reach import answers

LOOKS: Final = 4
"""So many connections are opened, to see whether one and the same server answers."""


def node(address: str, client: Any) -> Node:
    """What a server says of itself. Raises one of `failures.FAILURES` if it does not answer at all."""
    try:
        return node_of(address, client.info("everything"))
    except ResponseError:
        answers(client)
        return Node(address, is_primary=_is_primary(client))


def node_of(address: str, info: Mapping[str, Any]) -> Node:
    """What INFO tells.

    >>> node_of("h:6379", {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "9.1.0"}).version
    (9, 1, 0)
    """
    is_valkey = "valkey_version" in info
    version = re.match(r"\d+(\.\d+)*", str(info.get("valkey_version" if is_valkey else "redis_version", "")))
    return Node(
        address,
        ("Valkey" if is_valkey else "Redis") if version else None,
        tuple(map(int, version[0].split("."))) if version else None,
        info.get("role", "master") == "master",
        int(info.get("connected_slaves", 0)),
        info.get("maxmemory_policy"),
        info.get("used_memory"),
        info.get("maxmemory"),
        int(info.get("evicted_keys", 0)),
    )


def _is_primary(client: Any) -> bool:
    try:
        return str_if_bytes(client.execute_command("ROLE")[0]) == "master"
    except ResponseError:
        return True


def slots(clients: Iterable[Any]) -> int | None:
    """How many slots of a cluster are served, as the servers see it; the fewest, where they do not agree. None where
    one does not say."""
    try:
        return min(int(client.execute_command("CLUSTER INFO")["cluster_slots_ok"]) for client in clients)
    except (ResponseError, KeyError, TypeError, ValueError):
        return None


def proxy(nodes: Mapping[str, Any]) -> str | None:
    """Why this looks like a proxy, or like several servers behind one address; None if it does not."""
    known = foreseen(None, [address.rpartition(":")[0] for address in nodes])
    if known is not None:
        return known
    for client in nodes.values():
        try:
            answers = [_run_id(client) for _ in range(LOOKS)]
        except ResponseError:
            return "INFO is refused, as proxies refuse it"
        if reason := looks_like_one(answers):
            return reason
    return None


def looks_like_one(run_ids: Iterable[str]) -> str | None:
    """The same by the run ids that several connections to one address showed.

    >>> looks_like_one(["a1", "a1"]), looks_like_one(["a1", "b2"]), looks_like_one(["", ""])
    (None, 'several servers answer at one address', 'it has no run id, as a server would have')
    """
    different = {*run_ids}
    if not all(each.strip("0") for each in different):
        return "it has no run id, as a server would have"
    return "several servers answer at one address" if len(different) > 1 else None


def _run_id(client: Any) -> str:
    client.connection_pool.disconnect()  # the next command opens a new connection
    return str(client.info("server").get("run_id", ""))
