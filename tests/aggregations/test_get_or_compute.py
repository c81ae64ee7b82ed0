"""Where a result comes from, and how long it is good."""

from collections.abc import Callable
from typing import Any

import pytest

from daxlite.aggregations import AggregationConfig
from daxlite.aggregations.engine import store as store_module
from tests.aggregations.scripted import (
    Counted,
    Process,
    World,
    elsewhere,
)


def test_a_cold_result_is_computed_stored_and_kept_here(world: World) -> None:
    process, function = world.process(), Counted("result")
    total = process.cache.cached()(function)
    assert total() == "result"
    counts = process.counts
    assert (counts.misses, counts.computations, counts.stored, counts.discarded) == (1, 1, 1, 0)
    assert counts.bytes_written > 0
    assert len(world.server.keys(":value")) == 1
    assert not world.server.keys(":lock"), "the lock is released"
    assert all(key.startswith("shop:daxlite:{") for key in world.server.keys(""))
    assert len(world.server.keys(":state")) == 3, "everything, the function, the result"


def test_a_shared_hit_takes_one_round_trip_once_it_is_known_what_it_depends_on(world: World) -> None:
    one, other = world.process(near_bytes=0), world.process(near_bytes=0)
    functions = Counted(), Counted()
    calls = [
        process.cache.cached(tags=["x"])(function) for process, function in zip((one, other), functions, strict=True)
    ]
    assert [call() for call in calls] == [1, 1]
    world.server.take()
    assert calls[1]() == 1
    assert world.server.take() == ["MGET"]
    assert [function.calls for function in functions] == [1, 0]
    assert (other.counts.shared_hits, other.counts.misses, other.counts.hit_ratio) == (2, 0, 1.0)
    assert other.counts.bytes_read > 0


def test_a_near_hit_asks_no_server(world: World) -> None:
    process, function = world.process(), Counted([1, 2])
    total = process.cache.cached()(function)
    total()  # it begins to listen, and keeps nothing from before
    first, second = total(), total()
    world.server.take()
    third = total()
    assert first == second == third == [1, 2]
    assert second is not third, "P8: what a caller does to a result changes no other"
    assert set(world.server.take()) <= {"PING"}
    assert (process.counts.near_hits, function.calls) == (2, 1)


def test_without_a_near_cache_each_call_asks_redis(world: World) -> None:
    process, function = world.process(near_bytes=0), Counted()
    total = process.cache.cached()(function)
    assert [total() for _ in range(3)] == [1, 1, 1]
    assert (process.counts.near_hits, process.counts.shared_hits) == (0, 2)
    assert process.cache.stats().near_entries == 0
    assert not world.server.wires, "and it does not listen"


@pytest.mark.parametrize("near_bytes", [0, 1_000_000])
@pytest.mark.parametrize("value", [None, [], {}, "", 0, False, b"", (), 0.0, set()])
def test_none_and_empty_results_are_values(world: World, value: Any, near_bytes: int) -> None:
    process, function = world.process(near_bytes=near_bytes), Counted(value)
    total = process.cache.cached()(function)
    for _ in range(3):
        result = total()
        assert (type(result), result) == (type(value), value)
    assert function.calls == 1


@pytest.mark.parametrize("near_bytes", [0, 1_000_000])
def test_a_result_is_computed_anew_when_its_ttl_ends(world: World, near_bytes: int) -> None:
    process, function = world.process(near_bytes=near_bytes), Counted()
    total = process.cache.cached(ttl=100, jitter=0.0)(function)
    total()
    function.value = 2
    world.clock.advance(99.9)
    assert total() == 1
    world.clock.advance(0.1)
    assert total() == 2
    assert function.calls == 2


@pytest.mark.parametrize(("random", "ttl"), [(0.0, 100.0), (0.5, 90.0), (0.999, 80.02)])
def test_jitter_shortens_the_ttl_by_up_to_its_fraction(world: World, random: float, ttl: float) -> None:
    process, function = world.process(random=lambda: random), Counted()
    total = process.cache.cached(ttl=100, jitter=0.2, early_refresh=0)(function)
    total()
    function.value = 2
    world.clock.advance(ttl - 0.01)
    assert total() == 1
    world.clock.advance(0.02)
    assert total() == 2


def test_the_ttl_counts_from_the_beginning_of_the_computation(world: World) -> None:
    """What it read may be as old."""
    process = world.process()
    total = process.cache.cached(ttl=100, jitter=0.0, early_refresh=0)(Counted(1, lambda: world.clock.advance(60)))
    total()
    world.clock.advance(39)
    assert (total(), process.counts.computations) == (1, 1)
    world.clock.advance(1.1)
    assert (total(), process.counts.computations) == (1, 2)


def test_every_key_ends_and_a_state_outlives_what_it_guards(world: World) -> None:
    process = world.process()
    process.cache.cached(ttl=86400, jitter=0.0, stale_if_error=86400, tags=["x"])(Counted())()
    value, *stamps = [world.server.data[key][1] for kind in (":value", ":state") for key in world.server.keys(kind)]
    assert value == pytest.approx(world.clock() + 2 * 86400)
    assert len(stamps) == 4
    assert all(stamp >= value + 60 for stamp in stamps)


@pytest.mark.parametrize("number", range(30))
def test_no_result_outlives_its_states_wherever_the_connection_breaks(world: World, number: int) -> None:
    process = world.process()
    world.server.fail_at(number)
    process.cache.cached(ttl=86400, jitter=0.0, tags=["x"])(Counted())()
    for key in world.server.keys(":value"):
        assert all(world.server.data[stamp][1] > world.server.data[key][1] for stamp in world.server.keys(":state"))


def test_a_short_result_does_not_cut_the_life_of_a_state_short(world: World) -> None:
    process = world.process()
    process.cache.cached(ttl=86400, name="long", tags=["x"])(Counted())()
    before = {key: world.server.data[key][1] for key in world.server.keys(":state")}
    process.cache.cached(ttl=1, name="short", tags=["x"])(Counted())()
    assert all(world.server.data[key][1] >= until for key, until in before.items())


def test_a_result_that_is_too_large_is_returned_and_said_so_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    process, function = world.process(max_value_bytes=1000, compress_above=None), Counted("x" * 2000)
    total = process.cache.cached()(function)
    assert total() == total() == "x" * 2000
    assert (process.counts.unstorable, process.counts.stored, function.calls) == (2, 0, 2)
    assert len(caplog.records) == 1
    assert "counted" in caplog.text
    assert "1000" in caplog.text


def test_a_result_that_cannot_be_given_back_as_it_is_is_returned_and_said_so_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    process, function = world.process(), Counted(object())
    total = process.cache.cached()(function)
    assert total() is total() is function.value
    assert (process.counts.unstorable, function.calls) == (2, 2)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"\x00" + data, lambda data: b"", lambda data: b"text"]
)
def test_a_damaged_value_is_a_miss_and_counted(world: World, damage: Callable[[bytes], bytes]) -> None:
    process, function = world.process(near_bytes=0), Counted()
    total = process.cache.cached()(function)
    total()
    [key] = world.server.keys(":value")
    data, until = world.server.data[key]
    world.server.data[key] = damage(data), until
    assert total() == 1
    assert (process.counts.corrupt > 0, function.calls) == (True, 2)
    assert (total(), function.calls) == (1, 2), "and is replaced"


def test_a_value_under_another_key_is_a_miss(world: World) -> None:
    process = world.process(near_bytes=0)
    get = process.cache.get_or_compute
    get("a", lambda: "a")
    [of_a] = world.server.keys(":value")
    get("b", lambda: "b")
    [of_b] = set(world.server.keys(":value")) - {of_a}
    world.server.data[of_b] = world.server.data[of_a]
    assert get("b", lambda: "b anew") == "b anew"


def test_get_or_compute_keeps_what_stands_under_a_key(world: World) -> None:
    one, other = world.process(), world.process()
    assert one.cache.get_or_compute(("revenue", 2026), lambda: 5) == 5
    assert other.cache.get_or_compute(("revenue", 2026), lambda: 6) == 5
    assert one.cache.get_or_compute(("revenue", "2026"), lambda: 7) == 7
    other.cache.invalidate(("revenue", 2026))
    assert one.cache.get_or_compute(("revenue", 2026), lambda: 8) == 8
    assert one.cache.get_or_compute(("revenue", "2026"), lambda: 9) == 7
    assert set(one.cache.stats().functions) == {"get_or_compute"}


def test_what_is_expected_of_one_key_may_differ(world: World) -> None:
    """Under another annotation it is a miss."""
    get = world.process().cache.get_or_compute
    for _ in range(2):
        assert get("k", lambda: 1, returns=int) == 1
        assert get("k", lambda: "1", returns=str) == "1"


def test_two_namespaces_on_one_server_know_nothing_of_each_other(world: World) -> None:
    one, other = world.process(namespace="one"), world.process(namespace="other")
    assert one.cache.get_or_compute("k", lambda: 1) == 1
    assert other.cache.get_or_compute("k", lambda: 2) == 2
    other.cache.clear()
    assert one.cache.get_or_compute("k", lambda: 3) == 1


def test_the_settings_of_a_cache_are_the_defaults_of_its_functions(world: World) -> None:
    process, function = world.process(ttl=10), Counted()
    assert process.cache.config == AggregationConfig(ttl=10)
    total = process.cache.cached(jitter=0.0, early_refresh=0)(function)
    total()
    world.clock.advance(10)
    total()
    assert function.calls == 2


def test_sealed_results_are_not_readable_on_the_server(world: World) -> None:
    process: Process = world.process(encryption_keys=(bytes(32),), near_bytes=0, compress_above=None)
    total = process.cache.cached()(Counted("a secret"))
    assert [total(), total()] == ["a secret"] * 2
    assert process.counts.shared_hits == 1
    [key] = world.server.keys(":value")
    assert b"secret" not in world.server.data[key][0]


@pytest.mark.parametrize("is_same_process", [False, True])
def test_a_refresh_is_not_undone_by_a_computation_that_began_before_it(world: World, is_same_process: bool) -> None:
    one = world.process()
    other = one if is_same_process else world.process()
    source = Counted("old")
    function = one.cache.cached(name="f", early_refresh=0)(source)
    same = other.cache.cached(name="f", early_refresh=0)(source)

    def refresh_meanwhile() -> None:
        source.takes = lambda: None
        source.value = "new"  # a change that is not announced: what refresh() is for
        with elsewhere():
            refreshed.append(same.refresh())

    refreshed: list[Any] = []
    source.takes = refresh_meanwhile
    assert function() == "old", "it was read before the change"
    assert refreshed == ["new"]
    assert [function(), same(), function()] == ["new"] * 3


def test_as_many_tags_are_remembered_as_hints_as_is_allowed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys may have 256 tags each: a bound on the keys would bound nothing."""
    monkeypatch.setattr(store_module, "MAX_EXPECTED", 1000)
    store = world.process().cache._engine.store
    tags = tuple(b"%d" % number for number in range(256))
    for number in range(100):
        store._remember(b"%d" % number, tags)
        assert store.expected_tags(b"%d" % number) == tags
        assert sum(len(hint.tags) + 1 for hint in store._expected.values()) <= 1000 + 257
