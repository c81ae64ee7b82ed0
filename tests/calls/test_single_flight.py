"""Single flight: many threads that miss the same thing at once ask DynamoDB for it once, and nobody waits forever."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import daxlite
from daxlite.cache import flights as flight_module
from daxlite.cache.flights import MAX_WAIT
from tests.calls.crowd import OLD, READS, TABLE, Crowd, key
from tests.calls.scripted import refused


def essence(response: Any) -> Any:
    return {name: member for name, member in response.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_concurrent_misses_of_one_thing_call_dynamodb_once(crowd: Crowd, read: Callable[[Crowd], Any]) -> None:
    crowd.leader(lambda: read(crowd))
    crowd.followers(7, lambda: read(crowd))
    results = crowd.end()
    assert len(crowd.latch.sent) == 1
    first = essence(results["leader 0"])
    assert all(essence(result) == first for result in results.values())
    things = 3 if read is READS["batch"] else 1
    total = crowd.cache.stats().total
    assert (total.misses, total.joined, total.hits) == (8 * things, 7 * things, 0)
    assert essence(read(crowd)) == first
    assert len(crowd.latch.sent) == 1, "the answer was stored"


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_p8_isolated_the_response_of_each_follower_is_its_own(crowd: Crowd, read: Callable[[Crowd], Any]) -> None:
    crowd.leader(lambda: read(crowd))
    crowd.followers(2, lambda: read(crowd))
    results = list(crowd.end().values())

    def objects(value: Any) -> Iterator[int]:
        if isinstance(value, dict | list):
            yield id(value)
            for part in value.values() if isinstance(value, dict) else value:
                yield from objects(part)

    ids = [set(objects(result)) for result in results]
    assert all(len(each) > 5 for each in ids)
    assert len(set.union(*ids)) == sum(map(len, ids)), "two responses have a part in common"


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("error", [refused("ThrottlingException"), KeyboardInterrupt()], ids=["throttled", "Ctrl-C"])
def test_followers_of_a_leader_that_fails_get_their_own_answers(
    crowd: Crowd, read: Callable[[Crowd], Any], error: BaseException
) -> None:
    crowd.latch.errors = [error]
    crowd.leader(lambda: read(crowd))
    names = crowd.followers(3, lambda: read(crowd))
    results = crowd.end()
    assert results["leader 0"] is error
    assert len({id(results[name]) for name in names}) == 3
    assert all("ResponseMetadata" in results[name] for name in names)
    assert len(crowd.latch.sent) == 4
    assert crowd.cache.stats().total.joined == 0
    sent = len(crowd.latch.sent)
    read(crowd)
    assert len(crowd.latch.sent) == sent, "the cache is usable, and holds what the followers read"


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_followers_of_a_leader_that_fails_get_their_own_errors(crowd: Crowd, read: Callable[[Crowd], Any]) -> None:
    errors: list[BaseException] = [refused("InternalServerError", status=500) for _ in range(4)]
    crowd.latch.errors = list(errors)
    crowd.leader(lambda: read(crowd))
    crowd.followers(3, lambda: read(crowd))
    results = crowd.end()
    assert {id(result) for result in results.values()} == {id(error) for error in errors}
    assert len(crowd.latch.sent) == 4


@pytest.mark.faults_expected
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_followers_of_a_leader_in_which_daxlite_fails_get_their_own_answers(
    crowd: Crowd, read: Callable[[Crowd], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(item: Any) -> bytes:
        raise RuntimeError("no encoding today")

    monkeypatch.setattr(flight_module, "encode", fail)
    crowd.leader(lambda: read(crowd))
    crowd.followers(3, lambda: read(crowd))
    results = crowd.end()
    assert all("ResponseMetadata" in result for result in results.values())
    assert crowd.cache.stats().faults == 4


def test_different_things_do_not_wait_for_each_other(crowd: Crowd) -> None:
    reads: list[Callable[[], Any]] = [
        lambda: crowd.get("a"),
        lambda: crowd.get("b"),
        lambda: crowd.get("a", ProjectionExpression="v"),
        crowd.query,
        lambda: crowd.client.scan(TableName=TABLE),
        lambda: crowd.client.scan(TableName=TABLE, Limit=1),
    ]
    for read in reads:
        crowd.leader(read)
    crowd.end()
    assert crowd.cache.stats().total.joined == 0


def test_reads_around_the_cache_join_nobody(crowd: Crowd) -> None:
    def around() -> Any:
        with daxlite.bypass():
            return crowd.get()

    crowd.leader(crowd.get)
    crowd.leader(around)
    crowd.leader(lambda: crowd.get(ConsistentRead=True))
    crowd.end()
    assert crowd.cache.stats().total.joined == 0


# Who must not join, and for how long one waits


@pytest.mark.parametrize("name", ["get", "get a part", "query", "scan", "batch"])
def test_a_reader_that_comes_after_a_change_does_not_join(crowd: Crowd, name: str) -> None:
    read = READS[name]
    crowd.leader(lambda: read(crowd))
    crowd.followers(1, lambda: read(crowd))
    crowd.put()
    if name in ("get", "get a part", "batch"):  # the put left the new item behind: make it a miss again
        crowd.cache.invalidate(TABLE, key("a"))
    crowd.leader(lambda: read(crowd))
    crowd.followers(1, lambda: read(crowd))
    results = crowd.end()
    assert ["new" in str(result) for result in results.values()] == [False, False, True, True]
    sent = len(crowd.latch.sent)
    assert "new" in str(read(crowd)), "what the first leader read is not stored"
    assert len(crowd.latch.sent) == sent, "what the second one read is"


def test_a_change_of_something_else_keeps_nobody_from_joining(crowd: Crowd) -> None:
    crowd.leader(crowd.get)
    crowd.put("other")
    crowd.followers(1, crowd.get)
    crowd.end()


def test_nobody_waits_without_end(crowd: Crowd) -> None:
    crowd.leader(crowd.get)
    crowd.followers(2, crowd.get)
    crowd.end()
    assert crowd.timeouts == [MAX_WAIT] * 2
    assert 0 < MAX_WAIT < 60


def test_who_has_waited_long_enough_asks_for_itself_and_is_joined_in_its_turn(crowd: Crowd) -> None:
    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return False  # as if the time had passed

    watched = crowd.cache._state.new_latch
    crowd.cache._state.new_latch = Impatient
    crowd.leader(crowd.get)
    crowd.leader(crowd.get)
    crowd.cache._state.new_latch = watched
    crowd.followers(3, crowd.get)
    results = crowd.end()
    assert all(result["Item"]["v"] == OLD for result in results.values())
    assert len(crowd.latch.sent) == 2
