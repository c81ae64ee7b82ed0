"""What holds for every cache at rest."""

from collections import Counter

from daxlite.cache.clock import Stamp
from daxlite.cache.entries import Entries, Entry, Queue, size_of
from daxlite.cache.memory import MemoryCache


def check_queues(entries: Entries) -> None:
    """Fails unless every entry stands in exactly one queue, and the links and bytes of both queues are right."""
    queued = [*walk(entries._small), *walk(entries._main)]
    assert len(queued) == len(entries) == len(entries._by_key)
    assert {id(entry) for entry in queued} == {id(entry) for entry in entries._by_key.values()}
    for key, entry in entries._by_key.items():
        assert entry.key == key
        assert entry.uses >= 0
    assert entries._small.bytes + entries._main.bytes == entries.currsize == sum(entry.size for entry in queued)
    assert entries.currsize <= entries.maxsize
    assert len(entries._gone) <= len(entries), "more keys are remembered than there are entries"


def walk(queue: Queue) -> list[Entry]:
    """The entries of a queue, first to last."""
    found: list[Entry] = []
    entry = queue.first
    while entry is not None:
        assert entry.queue is queue, "an entry believes to stand elsewhere"
        assert entry.previous is (found[-1] if found else None)
        found.append(entry)
        entry = entry.next
    assert queue.last is (found[-1] if found else None)
    assert queue.bytes == sum(entry.size for entry in found)
    return found


def check(cache: MemoryCache) -> None:
    """Fails unless the bytes add up, the stamps and their holders agree, and nothing is left in flight."""
    state, config = cache._state, cache.config
    with state.locked():
        assert state.in_flight == 0, "a call was left in flight"
        assert not state.leaders, "a flight that landed can still be joined"
        check_queues(state.entries)
        entries = state.entries._by_key
        tables = {table.number: table for table in state.tables.values()}
        assert len(tables) == len(state.tables), "two tables have one number"

        limit = min(config.max_entry_bytes, config.max_bytes)
        for key, entry in entries.items():
            assert entry.size == size_of(key, entry.data, entry.stamps, entry.extent) + state.name_overhead
            assert entry.size <= limit, "an entry is larger than any may be"
            kind = key[1] if isinstance(key[1], str) else "item"
            assert entry.counters is tables[key[0]].counters[kind], "an entry is counted elsewhere"  # type: ignore[index]
            assert entry.tick <= state.changes.now, "an entry is from the future"
        size = sum(entry.size for entry in entries.values())
        assert size == state.entries.currsize <= config.max_bytes
        counters = [counters for table in tables.values() for counters in table.counters.values()]
        assert size == sum(each.bytes for each in counters)
        assert len(entries) == sum(each.entries for each in counters)
        for each in counters:
            owned = [entry for entry in entries.values() if entry.counters is each]
            assert (each.entries, each.bytes) == (len(owned), sum(entry.size for entry in owned))

        held: Counter[Stamp] = Counter()
        for entry in entries.values():
            if len(entry.stamps) > 1:  # a table holds its own stamp for all that depends on nothing else
                held.update(entry.stamps)
        for table in tables.values():
            held.update(table.own)
        held.update(state.changes.settling.values())
        watched = state.changes.stamps
        assert set(held) == set(watched.values()), "a stamp without holders is kept, or one in use is not"
        for tag, stamp in watched.items():
            assert stamp.tag == tag
            assert stamp.holders == held[stamp]
            assert stamp.tick <= state.changes.now, "a change is from the future"
