"""The caches of one process: a change that one of them makes or learns of reaches the others before it returns.

    writer through A   |-- PutItem --|- A: bump -|- B: bump -|- C: bump -| returns
    reader through C                                                       |-- a miss: reads the new state --|

Caches share changes, never answers. Each is told under its own lock alone. No two locks are ever held together, so no
two threads can wait for each other.
"""

import itertools
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from ..core.extents import EVERYTHING, Extent, hulls
from ..core.tags import Tag, table_tag
from .clock import Stamp
from .lock import Reentered
from .state import State
from .switch import SWITCH


class Peers:
    """The caches that hear of each other's changes: those of one process."""

    def __init__(self) -> None:
        # By a number that is never used twice. Single dictionary operations need no lock, which a signal handler, a
        # finaliser or a child process might find taken.
        self._states: Final[dict[int, weakref.ref[State]]] = {}
        self._numbers: Final = itertools.count()

    def join(self, state: State) -> None:
        """Let a new cache hear of all changes from here on, and learn which ones of before are still settling."""
        number, states = next(self._numbers), self._states
        states[number] = weakref.ref(state, lambda gone: states.pop(number, None))
        state.others = partial(self._others, number)
        # Only now: what changes meanwhile is heard of twice rather than not at all.
        for other in state.others():
            _adopt(state, other)

    def states(self) -> list[State]:
        """All of them."""
        return [state for ref in self._states.copy().values() if (state := ref()) is not None]

    def _others(self, number: int) -> Sequence[State]:
        if len(self._states) < 2:
            return ()  # a process with one cache pays no more than this
        refs = self._states.copy()
        return [state for each, ref in refs.items() if each != number and (state := ref()) is not None]


PROCESS = Peers()
"""The caches of this process. Tests that stand for several processes put others in its place."""


def start_over() -> None:
    """Let every cache of this process begin anew: nothing cached, no table known, all counts at zero."""
    for state in PROCESS.states():
        dropped = None
        with suppress(Reentered), state.locked():  # a call within a call drops everything anyway
            dropped = state.start_over()
        del dropped  # outside of the lock, for it takes its time


def _switch_tables() -> None:
    for state in PROCESS.states():
        for table in [*state.tables.values()]:  # one that is made meanwhile looks by itself
            table.switch()


SWITCH.on_change = _switch_tables


def tell_others(
    own: State, bumped: dict[Tag, Extent], change: Callable[[State], dict[Tag, Extent]]
) -> dict[Tag, Extent]:
    """Make a change in the other caches that was made in this one. Returns the tags that it bumped in any of them.

    bumped: what it bumped here. Another cache may know an index that this one does not, and an aggregation may have
    read through it.
    """
    others = own.others()
    if not others or not bumped:
        return bumped
    parts = [bumped]
    for other in others:
        # Within a frame that holds the other one's lock, it is dropped as soon as that frame leaves.
        told = {table_tag(tag.table): EVERYTHING for tag in bumped}
        with suppress(Reentered), other.locked():
            told = change(other)
        parts.append(told)
    return hulls(parts)


def drop_all(states: Sequence[State]) -> None:
    """Drop everything of these caches: anything may have changed."""
    for state in states:
        dropped = None
        with suppress(Reentered), state.locked():  # a call within a call drops everything anyway
            dropped = state.invalidate_all()
        del dropped  # outside of the lock, for it takes its time


def _adopt(state: State, other: State) -> None:
    """Let what is settling in another cache settle in a new one. Their clocks need not agree: ages do."""
    settling: list[Stamp] = []
    floor = now = 0.0  # within another frame's change: anything may have changed just now
    with suppress(Reentered), other.locked():
        settling, floor, now = *other.changes.recent(state.changes.window), other.now()
    with state.locked():
        moment = state.now()
        state.changes.raise_floor(moment - (now - floor))
        for stamp in settling:
            state.changes.bump((stamp.tag,), moment, now - stamp.changed_at)
