"""Single flight: threads that miss the same entry at once ask DynamoDB once, and no follower waits forever."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import daxlite
from daxlite.cache import flights as flight_module
from daxlite.cache.flights import MAX_WAIT
from daxlite.latch import Latch
from tests.calls.threads import OLD, READS, TABLE, Threads, key
from tests.responses import essence
from tests.scripted_client import ITEM, SCOPE, ScriptedClient, description, made, refused


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_concurrent_misses_of_one_thing_call_dynamodb_once(threads: Threads, read: Callable[[Threads], Any]) -> None:
    threads.leader(lambda: read(threads))
    threads.followers(7, lambda: read(threads))
    results = threads.end()
    assert len(threads.dynamodb.sent) == 1
    first = essence(results["leader 0"])
    assert all(essence(result) == first for result in results.values())
    things = 3 if read is READS["batch"] else 1
    total = threads.cache.stats().total
    assert (total.misses, total.joined, total.hits) == (8 * things, 7 * things, 0)
    assert essence(read(threads)) == first
    assert len(threads.dynamodb.sent) == 1, "the answer was stored"


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_p8_isolated_the_response_of_each_follower_is_its_own(threads: Threads, read: Callable[[Threads], Any]) -> None:
    threads.leader(lambda: read(threads))
    threads.followers(2, lambda: read(threads))
    results = list(threads.end().values())

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
    threads: Threads, read: Callable[[Threads], Any], error: BaseException
) -> None:
    threads.dynamodb.errors = [error]
    threads.leader(lambda: read(threads))
    names = threads.followers(3, lambda: read(threads))
    results = threads.end()
    assert results["leader 0"] is error
    assert len({id(results[name]) for name in names}) == 3
    assert all("ResponseMetadata" in results[name] for name in names)
    if isinstance(error, Exception):
        assert len(threads.dynamodb.sent) == 4
        assert threads.cache.stats().total.joined == 0
    else:  # one of them leads those that have not asked for themselves by then
        assert 2 <= len(threads.dynamodb.sent) <= 4
    sent = len(threads.dynamodb.sent)
    read(threads)
    assert len(threads.dynamodb.sent) == sent, "the cache is usable, and holds what the followers read"


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_followers_of_a_leader_that_fails_get_their_own_errors(
    threads: Threads, read: Callable[[Threads], Any]
) -> None:
    errors: list[BaseException] = [refused("InternalServerError", status=500) for _ in range(4)]
    threads.dynamodb.errors = list(errors)
    threads.leader(lambda: read(threads))
    threads.followers(3, lambda: read(threads))
    results = threads.end()
    assert {id(result) for result in results.values()} == {id(error) for error in errors}
    assert len(threads.dynamodb.sent) == 4


@pytest.mark.faults_expected
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_followers_of_a_leader_in_which_daxlite_fails_get_their_own_answers(
    threads: Threads, read: Callable[[Threads], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(item: Any) -> bytes:
        raise RuntimeError("no encoding today")

    monkeypatch.setattr(flight_module, "encode_exactly", fail)
    threads.leader(lambda: read(threads))
    threads.followers(3, lambda: read(threads))
    results = threads.end()
    assert all("ResponseMetadata" in result for result in results.values())
    assert threads.cache.stats().faults == 4


def test_different_things_do_not_wait_for_each_other(threads: Threads) -> None:
    reads: list[Callable[[], Any]] = [
        lambda: threads.get("a"),
        lambda: threads.get("b"),
        lambda: threads.get("a", ProjectionExpression="v"),
        threads.query,
        lambda: threads.client("Scan"),
        lambda: threads.client("Scan", Limit=1),
    ]
    for read in reads:
        threads.leader(read)
    threads.end()
    assert threads.cache.stats().total.joined == 0


def test_reads_around_the_cache_follow_no_leader(threads: Threads) -> None:
    def around() -> Any:
        with daxlite.bypass():
            return threads.get()

    threads.leader(threads.get)
    threads.leader(around)
    threads.leader(lambda: threads.get(ConsistentRead=True))
    threads.end()
    assert threads.cache.stats().total.joined == 0


# Readers that must not join, and the longest wait


@pytest.mark.parametrize("name", ["get", "get a part", "query", "scan", "batch"])
def test_a_reader_that_comes_after_a_change_does_not_join(threads: Threads, name: str) -> None:
    read = READS[name]
    threads.leader(lambda: read(threads))
    threads.followers(1, lambda: read(threads))
    threads.put()
    if name in ("get", "get a part", "batch"):  # the put left the new item behind: make it a miss again
        threads.cache.invalidate(TABLE, key("a"))
    threads.leader(lambda: read(threads))
    threads.followers(1, lambda: read(threads))
    results = threads.end()
    assert ["new" in str(result) for result in results.values()] == [False, False, True, True]
    sent = len(threads.dynamodb.sent)
    assert "new" in str(read(threads)), "what the first leader read is not stored"
    assert len(threads.dynamodb.sent) == sent, "what the second one read is"


def test_a_change_of_another_item_keeps_no_reader_from_joining(threads: Threads) -> None:
    threads.leader(threads.get)
    threads.put("other")
    threads.followers(1, threads.get)
    threads.end()


def test_followers_wait_for_a_limited_time(threads: Threads) -> None:
    threads.leader(threads.get)
    threads.followers(2, threads.get)
    threads.end()
    assert threads.timeouts == [MAX_WAIT] * 2
    assert 0 < MAX_WAIT < 60


def test_a_follower_whose_wait_ends_becomes_the_next_leader(threads: Threads) -> None:
    class Impatient(Latch):
        def wait(self, timeout: float) -> None:
            """As if the time had passed."""

    watched = threads.client.memory._state.new_latch
    threads.client.memory._state.new_latch = Impatient
    threads.leader(threads.get)
    threads.leader(threads.get)
    threads.client.memory._state.new_latch = watched
    threads.followers(3, threads.get)
    results = threads.end()
    assert all(result["Item"]["v"] == OLD for result in results.values())
    assert len(threads.dynamodb.sent) == 2


# A table that is not known yet

COLD = {name: read for name, read in READS.items() if name != "query an index"}


@pytest.fixture
def cold() -> Threads:
    """Threads whose DynamoDB has a table that is not described yet; DescribeTable is held back as reads are."""
    made_threads = Threads()
    dynamodb = made_threads.dynamodb
    dynamodb.DescribeTable = lambda params: description("pk")  # type: ignore[attr-defined]
    dynamodb.DescribeTimeToLive = lambda params: made()  # type: ignore[attr-defined]
    client = ScriptedClient(schema=None, config={"settle_window": 0}, dynamodb=dynamodb)
    client.memory._state.new_latch = made_threads._new_latch
    made_threads.client, made_threads.cache = client, client.cache
    return made_threads


@pytest.mark.parametrize("read", COLD.values(), ids=COLD)
def test_readers_of_a_cold_table_ask_dynamodb_once(cold: Threads, read: Callable[[Threads], Any]) -> None:
    cold.leader(lambda: read(cold))
    assert [operation for operation, _ in cold.dynamodb.sent] == ["DescribeTable"]
    cold.followers(3, lambda: read(cold))
    results = cold.end()
    assert len(cold.dynamodb.sent) == 3, "the description, that of the TTL, and one read"
    first = essence(results["leader 0"])
    assert all(essence(result) == first for result in results.values())
    sent = len(cold.dynamodb.sent)
    assert essence(read(cold)) == first
    assert len(cold.dynamodb.sent) == sent, "the answer was stored"
    total = cold.cache.stats().total
    things = 3 if read is COLD["batch"] else 1
    assert (total.misses, total.joined, total.hits) == (4 * things, 3 * things, things)
    assert total.hit_ratio == 4 / 5


@pytest.mark.parametrize("name", ["query", "get a part"])
def test_p4_the_first_answer_of_a_cold_table_depends_on_no_more_than_later_ones(cold: Threads, name: str) -> None:
    cold.dynamodb.release()
    READS[name](cold)
    cold.put("other")
    sent = len(cold.dynamodb.sent)
    READS[name](cold)
    assert len(cold.dynamodb.sent) == sent, "a write of another partition dropped it"
    cold.put("a")
    if name == "get a part":  # which the put left in the cache as a whole
        cold.cache.invalidate(TABLE, key("a"))
    READS[name](cold)
    assert len(cold.dynamodb.sent) > sent + 1


@pytest.mark.parametrize("read", COLD.values(), ids=COLD)
def test_p3_what_changes_while_a_cold_table_is_described_is_in_the_answer(
    cold: Threads, read: Callable[[Threads], Any]
) -> None:
    """The read is sent after the description, so what changed before is no reason not to store it."""
    cold.leader(lambda: read(cold))
    cold.followers(1, lambda: read(cold))
    cold.put("a")
    results = cold.end()
    assert all("new" in str(result) for result in results.values())
    sent = len(cold.dynamodb.sent)
    assert "new" in str(read(cold))
    assert len(cold.dynamodb.sent) == sent, "it was stored"


def test_a_cold_table_that_must_not_be_described_is_read_once(cold: Threads) -> None:
    def refuse(params: Any) -> Any:
        raise refused("AccessDeniedException")

    cold.dynamodb.DescribeTable = refuse  # type: ignore[attr-defined]
    cold.dynamodb.release()
    cold.get()
    cold.get()
    assert [operation for operation, _ in cold.dynamodb.sent] == ["DescribeTable", "GetItem"]


def test_a_cold_table_that_is_known_by_its_account_from_then_on_keeps_the_answer() -> None:
    scope = SCOPE._replace(account=None)
    client = ScriptedClient(schema=None, scope=scope, DescribeTable=description("pk"), GetItem=made(Item=ITEM))
    client.get()
    assert client.is_hit(client.get())
