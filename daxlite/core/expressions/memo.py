"""A memo that is bounded in bytes, for what the texts of a program mean."""

import sys
from collections.abc import Callable, Hashable
from gc import get_referents
from typing import Any, Final, TypeVar

_Value = TypeVar("_Value")

MAX_BYTES: Final = 8 << 20
ENTRY_BYTES: Final = 100
"""What the dictionary itself takes for an entry, just after it has grown."""
LARGEST_PART: Final = 16
"""An entry may take at most one part in so many of the bound; what is larger is not kept."""


class Memo:
    """Results by what they were made from: immutable keys, immutable values, and never None.

    A program has a limited number of expressions, and all of them fit. If a program makes up new ones all the time, the
    memo fills up; it is then emptied as a whole, and each expression that is still in use is parsed once more. So a hit
    is one look-up in a dictionary, which keeps no order and no counts.

    There is no lock. Threads and signal handlers may interleave at any step; at worst a few bytes are counted too much
    or too little until the memo is next emptied.

    >>> memo = Memo(max_bytes=100_000)
    >>> memo.get("a = :v") is None, memo.keep("a = :v", ("a", "=")), memo.get("a = :v")
    (True, ('a', '='), ('a', '='))
    """

    __slots__ = ("_entries", "_max_bytes", "bytes", "get")

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._entries: dict[Hashable, Any] = {}
        self.bytes = 0
        """The estimated size of all entries."""
        # The dictionary's own method: a hit enters no function of Python's.
        self.get: Final[Callable[[Hashable], Any]] = self._entries.get

    def __len__(self) -> int:
        return len(self._entries)

    def keep(self, key: Hashable, value: _Value) -> _Value:
        """Keep the value under its key, unless it is too large; returns the value."""
        size = ENTRY_BYTES + size_of(key, value)
        if size * LARGEST_PART <= self._max_bytes:
            if self.bytes + size > self._max_bytes:
                self.clear()
            self._entries[key] = value
            self.bytes += size
        return value

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
        self.bytes = 0


def size_of(*values: object) -> int:
    """The bytes of these values and of everything in them. A part that they share counts once; classes do not count.

    >>> size_of("ab", "ab") == sys.getsizeof("ab")
    True
    """
    size, seen, unseen = 0, set[int](), [*values]
    while unseen:
        part = unseen.pop()
        if id(part) not in seen and not isinstance(part, type):
            seen.add(id(part))
            size += sys.getsizeof(part)
            unseen.extend(get_referents(part))
            if isinstance(part, dict):
                unseen.extend(part)  # the collector does not look at keys that are all text
            elif isinstance(part, bytes):
                size += len(part) // 2  # msgspec grows its output by half, and leaves the rest unused
    return size


MEMO: Final = Memo()
"""The one memo of the process: the bound holds for all expressions together. A key begins with what it is a key of."""
