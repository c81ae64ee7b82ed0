"""What is said once: so many things, at most, of each cache."""

from collections.abc import Hashable
from typing import Any, Final
from weakref import WeakKeyDictionary

MAX_SAID: Final = 50
"""So many things are said of each cache: a program with a table for each customer fills no log."""

_said: Final[WeakKeyDictionary[Any, dict[Hashable, object]]] = WeakKeyDictionary()


def is_said_first(cache: Any, what: Hashable) -> bool:
    """Whether this is the first time for a cache. True at most MAX_SAID times for each cache.

    >>> class Cache: ...
    >>> cache = Cache()
    >>> is_said_first(cache, "Orders"), is_said_first(cache, "Orders"), is_said_first(Cache(), "Orders")
    (True, False, True)
    """
    said = _said.setdefault(cache, {})
    if what in said or len(said) >= MAX_SAID:
        return False
    mine = object()
    return said.setdefault(what, mine) is mine  # of two threads that come here at once, one says it
