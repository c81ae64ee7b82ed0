"""The excuses of this process's own writes, for a follower in the same process; `core.echoes` has the rule.

Where processes share a tier, excuses stand in the states of items instead, for the follower may be another process.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from ..core.echoes import MOST, Epoch, without
from ..core.tables import TableId
from ..core.tags import Tag

MAX_ITEMS: Final = 20_000
"""Excuses of so many items are kept. Those of the item that was written first go first."""


_Whose: TypeAlias = tuple[str, str, object, str]
"""A table without the principal: endpoint, region, owner and name."""


def _whose(id: TableId) -> _Whose:
    return id.endpoint, id.region, id.owner, id.name


class Echoes:
    """Excuses, by item."""

    def __init__(self) -> None:
        self.epochs: dict[_Whose, Epoch] = {}
        """By table that is followed; empty, as writers look for themselves, where none is."""
        self.begin()

    def begin(self) -> None:
        """Start without a follower, as a child process does: the thread that follows is the parent's."""
        self._lock = threading.RLock()  # a signal handler may write, too
        self.epochs = {}
        self._excuses: OrderedDict[Tag, list[bytes]] = OrderedDict()

    def follow(self, table: TableId, epoch: Epoch) -> None:
        """A table is followed from here on, in an epoch of its own. Excuses of another account's are none of its."""
        self.epochs[_whose(table)] = epoch

    def leave(self, table: TableId) -> None:
        """It is followed no more."""
        self.epochs.pop(_whose(table), None)

    def epoch(self, table: TableId) -> Epoch | None:
        """The epoch of a table that is followed."""
        return self.epochs.get(_whose(table))

    def excuse(self, item: Tag, excuse: bytes) -> None:
        """A write leaves an excuse: the order in which two writes of one item do is that of their records."""
        with self._lock:
            excuses = self._excuses.setdefault(item, [])
            if len(excuses) < MOST:
                excuses.append(excuse)
            while len(self._excuses) > MAX_ITEMS:
                self._excuses.popitem(last=False)

    def end(self, item: Tag) -> None:
        """An item is bumped by a record that is not excused: no excuse of it is believed any more."""
        if item in self._excuses:
            with self._lock:
                self._excuses.pop(item, None)

    def is_excused(self, item: Tag, digests: Callable[[], Sequence[bytes]], *, is_strict: bool = False) -> bool:
        """Whether a record of an item needs not be applied. It is asked once for each record; digests: those of the
        record, which are not asked for where there is no excuse. is_strict: see `core.echoes.without`."""
        if item not in self._excuses:
            return False
        echoes = digests()  # outside of the lock, for it takes that of the cache
        with self._lock:
            is_excused, left = without(self._excuses.pop(item, []), echoes, is_strict=is_strict)
            if left:
                self._excuses[item] = [*left]
        return is_excused
