"""GhostQueue is bounded in bytes: what is too large, and what goes to make room."""

from daxlite.core.changes import Change
from tests.cache_bench import KEY, OLD, PLACE, CacheBench


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
    bench.cache.apply(Change(PLACE, KEY))
    for number in range(10):
        bench.fill(OLD, {"pk": {"S": str(number)}})
    assert (bench.count("query").invalidations, bench.count("query").evictions) == (1, 0)
