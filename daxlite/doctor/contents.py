"""What stands in a namespace, by the names of keys, and who listens, by the names of channels.

The name of a key has no table in it, so entries are counted by kind. That of a channel has: the digest of a region and
a table, which shows no name but can be compared with that of a table that is given.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from redis.exceptions import ResponseError
from redis.utils import str_if_bytes

from ..core.tables import Place
from ..core.tags import table_tag
from ..shared.keyspace import Keyspace
from ..shared.tags import NAMESPACE, TABLE_BYTES, shared_tag
from .facts import Contents

MOST_KEYS: Final = 100_000
"""So many are looked at, of each server."""
LONGEST: Final = 5.0
"""Seconds, for each server."""
_AT_ONCE: Final = 1000

STATE, VALUE, RESULT, LOCK, FEED = "states", "values", "results of aggregations", "locks", "places of feeds"
EVERY_TABLE: Final = "what concerns all tables"
_KINDS: Final = (
    (re.compile(r"\{[0-9a-f]+\}:[0-9a-f]+:state"), STATE),
    (re.compile(r"\{[0-9a-f]+\}:[0-9a-f]+:[0-9a-f]+"), VALUE),
    (re.compile(r"\{[0-9a-f]+\}:value"), RESULT),
    (re.compile(r"\{[0-9a-f]+\}:lock"), LOCK),
    (re.compile(r"[0-9a-f]+:(follower|checkpoint)"), FEED),
)


def kind_of(key: str) -> str:
    """What stands under a key.

    >>> kind_of("shop:daxlite:{00ff}:00ff:state"), kind_of("shop:daxlite:{00ff}:00ff:00ff")
    ('states', 'values')
    """
    name = key.partition(":daxlite:")[2]
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(name)), "others")


def contents(
    nodes: Sequence[Any], keyspace: Keyspace, names: Mapping[bytes, str], clock: Callable[[], float] = time.monotonic
) -> Contents | None:
    """What stands there. names: of tables, by digest. None where the user may not look."""
    kinds: Counter[str] = Counter()
    is_part = False
    try:
        for node in nodes:
            is_part |= _count(node, f"{keyspace.namespace}:daxlite:*", kinds, clock)
        return Contents(dict(kinds), is_part, _listeners(nodes, keyspace, names))
    except ResponseError:
        return None


def _count(node: Any, pattern: str, kinds: Counter[str], clock: Callable[[], float]) -> bool:
    """Count the keys of one server. Returns whether there are more."""
    end, cursor, seen = clock() + LONGEST, 0, 0
    while True:
        cursor, keys = node.scan(cursor, match=pattern, count=_AT_ONCE)
        kinds.update(kind_of(str_if_bytes(key)) for key in keys)
        seen += _AT_ONCE
        if cursor == 0:
            return False
        if seen >= MOST_KEYS or clock() >= end:
            return True


def _listeners(nodes: Iterable[Any], keyspace: Keyspace, names: Mapping[bytes, str]) -> dict[str, int]:
    """How many processes listen to each table: as many as on any server, for each listens on all."""
    prefix = keyspace.channels.removesuffix("*")
    found: dict[str, int] = {}
    for node in nodes:
        channels = [str_if_bytes(each) for each in node.pubsub_channels(keyspace.channels)]
        for channel, count in node.pubsub_numsub(*channels) if channels else ():
            digest = str_if_bytes(channel).removeprefix(prefix)
            name = EVERY_TABLE if digest == NAMESPACE.hex() else names.get(bytes.fromhex(digest), digest)
            found[name] = max(found.get(name, 0), count)
    return found


def digests(tables: Iterable[str], region: str) -> dict[bytes, str]:
    """Tables by the digest that stands in the names of their channels: at AWS, in this region, and elsewhere."""
    found = {}
    for place in [Place(each, name) for name in tables for each in {region, ""}]:
        (shared,) = shared_tag(table_tag(place), lambda place: None)
        found[shared[:TABLE_BYTES]] = place.name
    return found
