"""Ask everything there is to ask, and collect the facts."""

from collections.abc import Mapping

from ..shared.failures import FAILURES
from ..shared.keyspace import Keyspace
from ..shared.troubles import described
from .contents import contents
from .facts import Facts
from .nodes import node, proxy, slots
from .reach import Reached, reach
from .rights import refusals
from .timing import delays, round_trips


def examine(
    url: str, namespace: str = "daxlite", *, group: str | None = None, names: Mapping[bytes, str] | None = None
) -> Facts:
    """What is found at a URL. group: of servers, where a sentinel watches several. names: of tables, by digest.

    Raises ValueError for a URL, a namespace or a group that is none. A server that does not answer is a fact.
    """
    keyspace = Keyspace(namespace)
    try:
        reached = reach(url, group)
        try:
            return _facts(reached, keyspace, names or {})
        finally:
            reached.close()
    except FAILURES as error:
        return Facts(namespace, described(error, ("PING",)))


def _facts(reached: Reached, keyspace: Keyspace, names: Mapping[bytes, str]) -> Facts:
    servers = [*reached.nodes.values()]
    return Facts(
        keyspace.namespace,
        None,
        reached.topology,
        tuple([node(address, client) for address, client in reached.nodes.items()]),
        slots(servers) if reached.is_cluster else None,
        proxy(reached.nodes),
        tuple(refusals(reached.client, servers, keyspace)),
        round_trips(servers),
        delays(servers, keyspace),
        contents(servers, keyspace, names),
    )
