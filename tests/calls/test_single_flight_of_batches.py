"""Single flight of BatchGetItem: each item of overlapping batches is asked for once, and all of them end."""

import threading
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from daxlite.cache.flights import Flight
from tests.calls.crowd import PATIENCE, TABLE, Crowd, key
from tests.calls.scripted import made, refused


def values(response: Any) -> list[str]:
    return sorted(item["pk"]["S"] for item in response["Responses"][TABLE])


def test_overlapping_batches_ask_for_each_item_once(crowd: Crowd) -> None:
    crowd.leader(lambda: crowd.batch("ab"))
    crowd.leader(lambda: crowd.batch("bc"))
    crowd.leader(lambda: crowd.batch("cad"))
    assert crowd.latch.keys_asked == {"a": 1, "b": 1, "c": 1, "d": 1}
    results = crowd.end()
    assert [values(result) for result in results.values()] == [["a", "b"], ["b", "c"], ["a", "c", "d"]]
    assert crowd.cache.stats().total.joined == 3


def test_gets_and_batches_join_each_other(crowd: Crowd) -> None:
    crowd.leader(lambda: crowd.get("a"))
    crowd.leader(lambda: crowd.batch("ab"))
    (one,) = crowd.followers(1, lambda: crowd.get("b"))
    (all_of_it,) = crowd.followers(1, lambda: crowd.batch("ba"))
    results = crowd.end()
    assert crowd.latch.keys_asked == {"a": 1, "b": 1}
    assert results[one]["Item"] == crowd.latch.item(key("b"))
    assert values(results[all_of_it]) == ["a", "b"]


def test_two_batches_that_wait_for_each_other_both_end(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each starts one of two items, then finds that the other one has started the second."""
    meet = threading.Barrier(2, timeout=PATIENCE)
    turns: Counter[int] = Counter()
    start_or_join = Flight.start_or_join

    def in_step(flight: Flight) -> Flight | None:
        leader = start_or_join(flight)
        turns[threading.get_ident()] += 1
        if turns[threading.get_ident()] == 1:
            meet.wait()
        return leader

    monkeypatch.setattr(Flight, "start_or_join", in_step)
    crowd.start("one", lambda: crowd.batch("ab"))
    crowd.start("other", lambda: crowd.batch("ba"))
    for _ in range(2):
        assert crowd.latch.arrived.acquire(timeout=PATIENCE)
    results = crowd.end()
    assert crowd.latch.keys_asked == {"a": 1, "b": 1}
    assert [values(results[name]) for name in ("one", "other")] == [["a", "b"]] * 2
    assert crowd.cache.stats().total.joined == 2


def test_a_key_that_the_leader_left_unprocessed_is_asked_for_again(crowd: Crowd) -> None:
    answer = crowd.latch.BatchGetItem

    def leave_all(params: dict[str, Any]) -> dict[str, Any]:
        crowd.latch.BatchGetItem = answer  # type: ignore[method-assign]
        return made(Responses={TABLE: []}, UnprocessedKeys=params["RequestItems"])

    crowd.latch.BatchGetItem = leave_all  # type: ignore[method-assign]
    crowd.leader(lambda: crowd.batch("ab"))
    crowd.leader(lambda: crowd.batch("bc"))
    first, second = crowd.end().values()
    assert first["UnprocessedKeys"] == {TABLE: {"Keys": [key("a"), key("b")]}}
    assert values(second) == ["b", "c"]
    assert second["UnprocessedKeys"] == {}
    assert crowd.latch.keys_asked == {"a": 1, "b": 2, "c": 1}


def test_an_error_of_one_thing_does_not_touch_the_flight_of_another(crowd: Crowd) -> None:
    crowd.latch.errors = [refused("ThrottlingException")]
    crowd.leader(lambda: crowd.batch("ab"))
    crowd.leader(lambda: crowd.batch("bc"))
    results = crowd.end()
    assert isinstance(results["leader 0"], ClientError)
    assert values(results["leader 1"]) == ["b", "c"]
    assert crowd.latch.keys_asked == {"a": 1, "b": 2, "c": 1}
