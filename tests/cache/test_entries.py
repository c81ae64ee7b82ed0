"""Entries: the least recently used go first, bytes add up, and each that goes is counted once, for what it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.cache.clock import ChangeClock
from daxlite.cache.entries import ENTRY_OVERHEAD, Entries, Entry, EntryKey
from daxlite.cache.stats import Counters
from daxlite.core.tags import item_tag
from tests.cache.room import ID

UNIT = ENTRY_OVERHEAD + 10  # what an entry takes here: one byte of key, nine of data
TAG = item_tag(ID, b"k")


class Shelf:
    """Entries with room for a few, a clock, and what was dropped, in order."""

    def __init__(self, room_for: int = 3) -> None:
        self.clock = ChangeClock()
        self.counters = Counters()
        self.dropped: list[Entry] = []
        self.entries = Entries(room_for * UNIT, self.dropped.append)

    def store(self, letter: str, data: bytes = b"123456789", *, watching: bool = False) -> Entry:
        stamps = self.clock.hold([TAG]) if watching else ()
        key = place(letter)
        entry = Entry(data, key=key, expires=1.0, tick=self.clock.now, stamps=stamps, counters=self.counters)
        self.entries.store(key, entry)
        return entry

    @property
    def letters(self) -> str:
        return "".join(sorted(key[1].decode() for key in self.entries))  # type: ignore[union-attr]

    def check(self) -> None:
        size = sum(self.entries.pop(key).size for key in list(self.entries))
        assert (self.counters.bytes, self.counters.entries * UNIT) == (size, size)


def place(letter: str) -> EntryKey:
    return (0, letter.encode())


@pytest.mark.parametrize(
    ("key", "length"), [((7, b"key"), 3), ((7, b"key", b"part"), 7), ((7, "query", b"sign"), 9), ((7, "scan", b""), 4)]
)
def test_the_size_of_an_entry_is_its_answer_its_key_and_an_allowance(key: EntryKey, length: int) -> None:
    entry = Entry(b"data", key=key, expires=1.0, tick=0, stamps=(), counters=Counters())
    assert entry.size == 4 + length + ENTRY_OVERHEAD


def test_the_least_recently_used_goes_first() -> None:
    shelf = Shelf()
    stored = {letter: shelf.store(letter) for letter in "abc"}
    assert shelf.entries[place("a")] is stored["a"]  # used
    assert place("b") in shelf.entries  # looked for, which is no use
    shelf.store("d")
    assert shelf.letters == "acd"
    shelf.store("c")  # stored anew, which is
    shelf.store("e")
    shelf.store("f")
    assert shelf.letters == "cef"
    assert [entry is stored[letter] for entry, letter in zip(shelf.dropped, "bca", strict=False)] == [True, True, True]
    assert shelf.counters.evictions == 3, "b, a and d; c was replaced"


def test_bytes_and_entries_add_up() -> None:
    shelf = Shelf()
    shelf.store("a")
    shelf.store("b")
    assert (shelf.counters.entries, shelf.counters.bytes, shelf.entries.currsize) == (2, 2 * UNIT, 2 * UNIT)
    shelf.store("a", b"")
    assert (shelf.counters.entries, shelf.counters.bytes) == (2, 2 * UNIT - 9)
    shelf.entries.drop(place("b"))
    assert (shelf.counters.entries, shelf.counters.bytes) == (1, UNIT - 9)
    assert shelf.entries.discard(place("a"))
    assert not shelf.entries.discard(place("a"))
    assert (shelf.counters.entries, shelf.counters.bytes, shelf.entries.currsize) == (0, 0, 0)
    assert shelf.counters.evictions == shelf.counters.invalidations == 0, "who drops an entry knows why"


def test_one_large_entry_pushes_out_as_many_as_it_takes() -> None:
    shelf = Shelf()
    for letter in "abc":
        shelf.store(letter)
    shelf.store("d", b"x" * (UNIT + 9))  # takes two places
    assert shelf.letters == "cd"
    assert shelf.counters.evictions == 2
    assert shelf.counters.bytes == shelf.entries.currsize == 3 * UNIT


def test_what_was_stale_counts_as_an_invalidation_when_it_is_pushed_out() -> None:
    shelf = Shelf(2)
    stale = shelf.store("a", watching=True)
    shelf.clock.bump([TAG], 0.0)
    live = shelf.store("b", watching=True)
    assert (stale.is_stale, live.is_stale) == (True, False)
    shelf.store("c")
    assert (shelf.counters.invalidations, shelf.counters.evictions) == (1, 0)
    shelf.store("d")
    assert (shelf.counters.invalidations, shelf.counters.evictions) == (1, 1)
    assert shelf.dropped == [stale, live]


def test_every_entry_that_goes_is_reported_once() -> None:
    """Whoever is told releases its stamps; once too often would unwatch what others watch."""
    shelf = Shelf(2)
    entries = [shelf.store(letter) for letter in "ab"]
    entries.append(shelf.store("b"))  # replaces
    entries.append(shelf.store("c"))  # evicts
    shelf.entries.drop(place("b"))
    shelf.entries.drop_all()
    assert sorted(map(id, shelf.dropped)) == sorted(map(id, entries))
    assert shelf.letters == ""


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["store", "use", "discard", "change"]))))
def test_against_a_list_in_order_of_use(steps: list[tuple[str, str]]) -> None:
    shelf, model = Shelf(), list[str]()
    evicted, stale, stale_letters = 0, 0, set[str]()
    for letter, step in steps:
        if step == "change":
            shelf.clock.bump([TAG], 0.0)
            stale_letters = set(model)
        elif step == "use":
            found = shelf.entries.get(place(letter))
            assert (found is not None) == (letter in model)
            if found is not None:
                model.remove(letter)
                model.append(letter)
        else:
            if letter in model:
                model.remove(letter)
            stale_letters.discard(letter)
            if step == "discard":
                shelf.entries.discard(place(letter))
            else:
                model.append(letter)
                shelf.store(letter, watching=True)
                if len(model) > 3:
                    gone = model.pop(0)
                    evicted, stale = evicted + (gone not in stale_letters), stale + (gone in stale_letters)
        assert shelf.letters == "".join(sorted(model))
    assert (shelf.counters.evictions, shelf.counters.invalidations) == (evicted, stale)
    shelf.check()
