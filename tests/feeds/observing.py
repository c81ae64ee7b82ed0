"""Random programs of writers, readers and a feed; the readers are judged.

What a reader sees of an item may be late, until its records have come. It never goes back, and in the end it is true.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

import daxlite
from tests.feeds.shop import Item, Shop, item_of

ITEMS = (1, 2)
Step = tuple[str, Any, Any]

WRITES: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(["write", "own"]), st.sampled_from(ITEMS), st.sampled_from([None, 1, 2, 3])
)
"""By another program, or by a wrapped client; None deletes. Few versions, so that items become what they were."""
READS: st.SearchStrategy[Step] = st.tuples(st.sampled_from(["read", "page"]), st.sampled_from(ITEMS), st.integers(0, 1))
WAITS: st.SearchStrategy[Step] = st.tuples(st.just("wait"), st.sampled_from([1, 6]), st.none())


class Observer:
    """What a reader has seen of each item."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.client = daxlite.wrap(shop.raw, shop.process())
        self.seen: dict[tuple[str, int], int] = {}
        """By kind of read and item: the earliest state that it can have been, as a number of writes."""

    def read(self, number: int, states: dict[int, list[Item | None]]) -> None:
        self._note("item", number, self.shop.read(number, self.client), states[number])

    def page(self, states: dict[int, list[Item | None]]) -> None:
        found = self.shop.page(self.client)
        for number, past in states.items():
            self._note("page", number, found.get(number), past)

    def _note(self, kind: str, number: int, version: int | None, past: list[Item | None]) -> None:
        since = self.seen.get((kind, number), 0)
        versions = [version_of(item) for item in past]
        assert version in versions[since:], f"{kind} {number}: {version}, and before state {since} of {versions}"
        self.seen[kind, number] = versions.index(version, since)


class Program:
    """One program under way."""

    def __init__(self, shop: Shop) -> None:
        shop.open(*[item_of(number, 1) for number in ITEMS])
        self.shop = shop
        self.observers = [Observer(shop), Observer(shop)]
        self.states: dict[int, list[Item | None]] = {number: [item_of(number, 1)] for number in ITEMS}
        """What each item has been, one by one."""

    def take(self, step: Step) -> None:
        """Take a step that is none of the feed's."""
        kind, what, more = step
        match kind:
            case "write":
                self._write(what, more, None)
            case "own":
                self._write(what, more, self.observers[0].client)
            case "read":
                self.observers[more].read(what, self.states)
            case "page":
                self.observers[more].page(self.states)
            case "wait":
                self.shop.simulator.clock.advance(what)

    def _write(self, number: int, version: int | None, client: Any) -> None:
        before = self.states[number][-1]
        if version == version_of(before):
            return  # of a write that changes nothing there is no record
        item = item_of(number, version or 0)
        self.shop.write(item, delete=version is None, client=client)
        self.states[number].append(None if version is None else item)

    def look(self) -> None:
        """All readers read."""
        for observer in self.observers:
            for number in ITEMS:
                observer.read(number, self.states)
            observer.page(self.states)

    def check(self) -> None:
        """All records have come: all readers see how it is."""
        for observer in self.observers:
            now = {number: version_of(past[-1]) for number, past in self.states.items()}
            assert {number: self.shop.read(number, observer.client) for number in ITEMS} == now
            page: Any = self.shop.page(observer.client)
            assert {number: page.get(number) for number in ITEMS} == now


def version_of(item: Item | None) -> int | None:
    return None if item is None else int(item["v"]["N"])


def programs(*own: st.SearchStrategy[Step]) -> st.SearchStrategy[Sequence[Step]]:
    """Steps, among them those of a feed."""
    return st.lists(st.one_of(WRITES, WRITES, READS, READS, WAITS, *own), max_size=30)
