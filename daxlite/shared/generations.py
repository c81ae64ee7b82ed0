"""Generations: what all values of a namespace, of a table or of a global index were read under.

A change that no partition can name belongs to a tag of the whole: the namespace, the table, the index. The top of its
state, the generation, stands in each value by a digest, so that one change ends all of them.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from ..core.extents import EVERYTHING
from ..core.hidden import Hidden
from .scripts import NotedState
from .values import OWNER_BYTES

MAX_KNOWN: Final = 50_000
"""So many generations are known at a time."""
REFRESH: Final = 30.0
"""Seconds after which Redis is asked for a generation once more. So its state stays there, and if it was lost all the
same, the processes that knew the old one and those that found a new one soon share again what they cache."""


class Generation(Hidden, Struct, frozen=True):
    """One generation, as this process learned it."""

    top: bytes
    changed_at: float
    """By this process's clock; minus infinity where that is long ago."""
    made_at: float
    """When it was made from nothing, so that a change from before may be forgotten; minus infinity where it was not."""


class Generations:
    """The generations that this process knows, as it learned them from Redis and hears of them since.

    clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Know none."""
        self._known: dict[bytes, Generation] = {}
        self._due: dict[bytes, float] = {}
        """When Redis is to be asked once more."""
        self._asked: dict[int, set[bytes]] = {}
        """What is being asked of Redis, and has not changed since."""

    def unknown(self, tags: Iterable[bytes]) -> list[bytes]:
        """Those of these tags whose generation is not known, or to be asked for once more: only one caller is told so,
        and the others use what is known."""
        now = self._clock()
        return [tag for tag in tags if tag not in self._known or self._is_due(tag, now)]

    def _is_due(self, tag: bytes, now: float) -> bool:
        if self._due.get(tag, now) > now:
            return False
        self._due[tag] = now + REFRESH
        return True

    def ask(self, tags: Iterable[bytes]) -> set[bytes]:
        """Begin to learn generations. Returns what `learn` and `asked` take."""
        asked = {*tags}
        self._asked[id(asked)] = asked
        return asked

    def learn(self, asked: set[bytes], states: Mapping[bytes, NotedState | None]) -> None:
        """Take over what was noted, but for what changed meanwhile. A generation under which a write is under way is
        not known."""
        if len(self._known) + len(states) > MAX_KNOWN:
            self._known, self._due = {}, {}
        due = self._clock() + REFRESH
        for tag, state in states.items():
            generation = self.of(state)
            if generation is None:
                self._known.pop(tag, None)
            elif tag in asked:
                self._due[tag] = due
                self._known[tag] = generation
                if tag not in asked:  # it changed in this very moment
                    self._known.pop(tag, None)

    def of(self, state: NotedState | None) -> Generation | None:
        """The generation that a state shows now; None if it may be changing."""
        if state is None or state.is_open_for(EVERYTHING):
            return None
        now = self._clock()
        made_at = now - state.age(state.since) if state.is_young else -math.inf
        return Generation(state.top, now - state.last_change(EVERYTHING), made_at)

    def asked(self, asked: set[bytes]) -> None:
        """It was learned, or failed."""
        self._asked.pop(id(asked), None)

    def forget(self, tag: bytes) -> None:
        """It changed, or is about to change."""
        for asked in [*self._asked.values()]:
            asked.discard(tag)
        self._known.pop(tag, None)

    def forget_all(self) -> None:
        """Any of them may have changed."""
        for asked in [*self._asked.values()]:
            asked.clear()
        self._known, self._due = {}, {}

    def known(self, tags: Iterable[bytes]) -> list[Generation] | None:
        """The generations of these tags; None if one of them is not known."""
        try:
            return [self._known[tag] for tag in tags]
        except KeyError:
            return None

    def age(self, generations: Iterable[Generation]) -> float:
        """How many seconds ago the last of these changed; infinity where that is long ago."""
        return self._clock() - max([each.changed_at for each in generations], default=-math.inf)

    def youth(self, generations: Iterable[Generation]) -> float:
        """How many seconds ago the last of these was made from nothing; infinity where none was."""
        return self._clock() - max([each.made_at for each in generations], default=-math.inf)


def owner_of(identity: bytes, generations: Iterable[Generation]) -> bytes:
    """What a value belongs to, as a digest: an identity, and generations."""
    tops = b"".join([each.top for each in generations])
    return blake2b(identity + tops, digest_size=OWNER_BYTES, person=b"daxlite-owner").digest()
