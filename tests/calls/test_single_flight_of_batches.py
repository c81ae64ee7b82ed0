"""Single flight of BatchGetItem: each item of overlapping batches is asked for once, and all of them end."""

import threading
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from daxlite.cache.flights import ReadFlight
from tests.calls.threads import PATIENCE, TABLE, Threads, key
from tests.scripted_client import made, refused


def values(response: Any) -> list[str]:
    return sorted(item["pk"]["S"] for item in response["Responses"][TABLE])


def test_overlapping_batches_ask_for_each_item_once(threads: Threads) -> None:
    threads.leader(lambda: threads.batch("ab"))
    threads.leader(lambda: threads.batch("bc"))
    threads.leader(lambda: threads.batch("cad"))
    assert threads.dynamodb.keys_asked == {"a": 1, "b": 1, "c": 1, "d": 1}
    results = threads.end()
    assert [values(result) for result in results.values()] == [["a", "b"], ["b", "c"], ["a", "c", "d"]]
    assert threads.cache.stats().total.joined == 3


def test_gets_and_batches_join_each_other(threads: Threads) -> None:
    threads.leader(lambda: threads.get("a"))
    threads.leader(lambda: threads.batch("ab"))
    (one,) = threads.followers(1, lambda: threads.get("b"))
    (all_of_it,) = threads.followers(1, lambda: threads.batch("ba"))
    results = threads.end()
    assert threads.dynamodb.keys_asked == {"a": 1, "b": 1}
    assert results[one]["Item"] == threads.dynamodb.item(key("b"))
    assert values(results[all_of_it]) == ["a", "b"]


def start_crosswise(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start two batches. Each starts one of two items, then finds that the other one has started the second."""
    meet = threading.Barrier(2, timeout=PATIENCE)
    turns: Counter[int] = Counter()
    start_or_follow = ReadFlight.start_or_follow

    def in_step(flight: ReadFlight) -> ReadFlight | None:
        leader = start_or_follow(flight)
        turns[threading.get_ident()] += 1
        if turns[threading.get_ident()] == 1:
            meet.wait()
        return leader

    monkeypatch.setattr(ReadFlight, "start_or_follow", in_step)
    threads.start("one", lambda: threads.batch("ab"))
    threads.start("other", lambda: threads.batch("ba"))
    for _ in range(2):
        assert threads.dynamodb.arrived.acquire(timeout=PATIENCE)


def test_two_batches_that_wait_for_each_other_both_end(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    start_crosswise(threads, monkeypatch)
    results = threads.end()
    assert threads.dynamodb.keys_asked == {"a": 1, "b": 1}
    assert [values(results[name]) for name in ("one", "other")] == [["a", "b"]] * 2
    assert threads.cache.stats().total.joined == 2


def test_two_batches_that_wait_for_what_the_other_one_does_not_get_both_end(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave_all(params: dict[str, Any]) -> dict[str, Any]:
        return made(Responses={TABLE: []}, UnprocessedKeys={**params["RequestItems"]})

    monkeypatch.setattr(threads.dynamodb, "BatchGetItem", leave_all)
    start_crosswise(threads, monkeypatch)
    results = threads.end()
    assert threads.dynamodb.keys_asked == {"a": 2, "b": 2}, "each asks for both in the end"
    assert all(values(results[name]) == [] for name in ("one", "other"))


def test_a_key_that_the_leader_left_unprocessed_is_asked_for_again(threads: Threads) -> None:
    answer = threads.dynamodb.BatchGetItem

    def leave_all(params: dict[str, Any]) -> dict[str, Any]:
        threads.dynamodb.BatchGetItem = answer  # type: ignore[method-assign]
        return made(Responses={TABLE: []}, UnprocessedKeys=params["RequestItems"])

    threads.dynamodb.BatchGetItem = leave_all  # type: ignore[method-assign]
    threads.leader(lambda: threads.batch("ab"))
    threads.leader(lambda: threads.batch("bc"))
    first, second = threads.end().values()
    assert first["UnprocessedKeys"] == {TABLE: {"Keys": [key("a"), key("b")]}}
    assert values(second) == ["b", "c"]
    assert second["UnprocessedKeys"] == {}
    assert threads.dynamodb.keys_asked == {"a": 1, "b": 2, "c": 1}


def test_an_error_of_one_thing_does_not_touch_the_flight_of_another(threads: Threads) -> None:
    threads.dynamodb.errors = [refused("ThrottlingException")]
    threads.leader(lambda: threads.batch("ab"))
    threads.leader(lambda: threads.batch("bc"))
    results = threads.end()
    assert isinstance(results["leader 0"], ClientError)
    assert values(results["leader 1"]) == ["b", "c"]
    assert threads.dynamodb.keys_asked == {"a": 1, "b": 2, "c": 1}
