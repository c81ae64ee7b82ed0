"""The change clock: what keeps an answer from outliving the state that it was read from.

    reader   |-- watch, tick 7 ------- DynamoDB answers (old) -------- fill? changed at 8 > 7: no --|
    writer            |---- PutItem ---- applied ---- bump, tick 8 ----|

One counter per cache. A change takes the next tick and leaves it on the stamp of every tag that it bumps. A reader
notes the tick at which its read *started*; its answer is stored, and later served, only while no stamp that it
depends on is newer. (What Facebook's memcache leases do: "Scaling Memcache at Facebook", NSDI 2013, section 3.2.1.)

A stamp exists as long as something holds it: a call in flight or an entry. So the table of stamps is as large as
what is cached and being read, a change costs the few tags that it bumps however many entries hang on them, and no
stamp is ever forgotten while somebody could still ask for it.
"""

from collections.abc import Iterable
from typing import TypeAlias

from ..core.tags import Tag


class Stamp:
    """When a tag last changed."""

    __slots__ = ("holders", "tag", "tick")

    def __init__(self, tag: Tag) -> None:
        self.tag = tag
        self.tick = 0  # no change that anybody who holds this stamp has to know of
        self.holders = 0


Stamps: TypeAlias = tuple[Stamp, ...]


class ChangeClock:
    """Ticks and stamps. Not thread-safe: the cache's lock guards it."""

    def __init__(self) -> None:
        self.now = 0
        self.stamps: dict[Tag, Stamp] = {}

    def hold(self, tags: Iterable[Tag]) -> Stamps:
        """Watch these tags from now on, until they are released."""
        held = tuple(self.stamps.get(tag) or self.stamps.setdefault(tag, Stamp(tag)) for tag in tags)
        for stamp in held:
            stamp.holders += 1
        return held

    def hold_again(self, held: Stamps) -> None:
        """Hold once more what is held already."""
        for stamp in held:
            stamp.holders += 1

    def release(self, held: Stamps) -> None:
        """Stop watching. Once for each hold."""
        for stamp in held:
            stamp.holders -= 1
            if not stamp.holders:
                del self.stamps[stamp.tag]

    def bump(self, tags: Iterable[Tag]) -> int:
        """Note a change of these tags; returns its tick."""
        self.now += 1
        for tag in tags:
            stamp = self.stamps.get(tag)
            if stamp is not None:  # nobody watches the others: there is nothing they could spoil
                stamp.tick = self.now
        return self.now


def changed_since(held: Stamps, tick: int) -> bool:
    """Whether any of these tags changed after the tick."""
    # The hot path of every cached query: a plain loop costs half of any() over a generator.
    for stamp in held:  # noqa: SIM110
        if stamp.tick > tick:
            return True
    return False
