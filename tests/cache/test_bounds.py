"""GhostQueue is bounded in bytes: what is too large, and what goes to make room."""

import gc

import pytest

from daxlite.cache import memory as memory_module
from daxlite.cache.memory import MemoryCache
from daxlite.cache.table_names import TableNames
from daxlite.core.changes import Change
from daxlite.core.tables import AWS, Scope
from tests.cache_bench import KEY, OLD, PLACE, CacheBench
from tests.interrupting import interrupted


def test_what_is_larger_than_any_entry_may_be_is_not_stored() -> None:
    bench = CacheBench(max_entry_bytes=1000)
    bench.fill(OLD)
    bench.fill({**OLD, "big": {"S": "x" * 1000}})
    assert bench.get() == "unknown", "the old state must not stay in the place of the new"
    bench.fill(OLD)
    bench.write({**OLD, "big": {"S": "x" * 1000}})
    assert bench.get() == "unknown"
    tiny = CacheBench(max_bytes=10)
    tiny.fill(OLD)
    assert tiny.get() == "unknown"


def test_what_is_used_stays_while_others_pass_through() -> None:
    bench = CacheBench(max_bytes=6000)
    keys = [{"pk": {"S": f"{number:03}"}} for number in range(40)]
    bench.fill(OLD, keys[0])
    for key in keys[1:]:
        bench.fill(OLD, key)
        assert bench.get(keys[0]) == OLD, "it is used all the time"
        assert bench.cache.stats().total.bytes <= 6000
    assert bench.get(keys[1]) == "unknown"
    assert bench.get(keys[-1]) == OLD
    counts = bench.count()
    assert counts.evictions == len(keys) - counts.entries > 0


def test_what_was_stale_when_it_was_pushed_out_is_no_eviction() -> None:
    bench = CacheBench(max_bytes=3000)
    bench.fill_page()
    bench.memory.apply(Change(PLACE, KEY))
    for number in range(10):
        bench.fill(OLD, {"pk": {"S": str(number)}})
    assert (bench.count("query").invalidations, bench.count("query").evictions) == (1, 0)


def test_the_names_of_tables_are_bounded_in_all_scopes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scopes of one account share their tables, but each has names of its own; also one that only its client keeps."""
    monkeypatch.setattr(memory_module, "MAX_NAMES", 10)
    monkeypatch.setattr(memory_module, "MAX_SCOPES", 3)
    cache = MemoryCache()
    scopes = [cache.names(Scope(AWS, "eu-west-1", f"AKIA{number}", "123456789012")) for number in range(5)]
    for number in range(7):
        for names in scopes:
            table = names.table(f"T{number}")
            assert table is scopes[0].table(f"T{number}"), "a name that is not known is looked up"
            assert sum(len(each.known) for each in scopes) <= 10


@pytest.mark.usefixtures("no_collection")
def test_names_that_went_with_their_scope_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MAX_NAMES", 10)
    monkeypatch.setattr(memory_module, "MAX_SCOPES", 1)
    cache = MemoryCache()
    stays = cache.names(Scope(AWS, "eu-west-1", "stays", "123456789012"))
    stays.table("T")
    for number in range(30):
        cache.names(Scope(AWS, "eu-west-1", f"AKIA{number}", "123456789012")).table("T")
        gc.collect()
    assert set(stays.known) == {"T"}, "only what is in use counts"


def test_scopes_are_found_after_an_interruption_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MAX_SCOPES", 2)

    def names(number: int) -> TableNames:
        return cache.names(Scope(AWS, "eu-west-1", f"AKIA{number}", "123456789012"))

    moment = 0
    while True:
        cache = MemoryCache()
        names(0), names(1)
        is_over = interrupted(lambda: names(2), lambda frame: "cachetools" in frame.f_code.co_filename, moment) is None
        for number in range(3, 9):
            assert names(number) is names(number)
        if is_over:
            break
        moment += 1
    assert moment > 5, "nothing was interrupted"
