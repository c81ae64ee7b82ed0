"""Single flight: many threads that miss the same thing at once ask DynamoDB for it once, and nobody waits forever."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.cache import flight as flight_module
from daxlite.cache.flight import LONGEST_WAIT, Flight
from tests.calls.scripted import made, page, refused

TABLE = "T"
PATIENCE = 10.0  # seconds after which a thread counts as hanging; nothing here takes that long
SCHEMA = TableSchema(KeySchema.of("pk"), {"by_owner": KeySchema.of("owner")})
OLD, NEW = {"S": "old"}, {"S": "new"}


def key(letter: str) -> dict[str, Any]:
    return {"pk": {"S": letter}}


class Gate:
    """A DynamoDB whose answers wait until the test lets them go."""

    def __init__(self) -> None:
        self.value = OLD
        self.errors: list[BaseException] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.arrived = threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((operation, params))
        error = self.errors.pop(0) if self.errors else None
        answer = getattr(self, operation)(params)
        if operation not in ("PutItem", "BatchWriteItem"):
            self.arrived.release()
            assert self._open.wait(PATIENCE), "the test forgot to open the gate"
        if error is not None:
            raise error
        return answer

    def open(self) -> None:
        self._open.set()

    def item(self, key: dict[str, Any]) -> dict[str, Any]:
        return {**key, "v": self.value, "nested": {"M": {"list": {"L": [{"N": "1"}]}}}}

    def GetItem(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return made(Item=self.item(params["Key"]))

    def Query(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return page(self.item(key("a")), LastEvaluatedKey=key("a"))

    Scan = Query

    def BatchGetItem(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        keys = {name: asked["Keys"] for name, asked in params["RequestItems"].items()}
        responses = {name: [self.item(one) for one in each] for name, each in keys.items()}
        return made(Responses=responses, UnprocessedKeys={})

    def PutItem(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.value = params["Item"]["v"]
        return made()

    @property
    def keys_asked(self) -> Counter[str]:
        """How often each item was asked for."""
        asked = [params["Key"] for operation, params in self.sent if operation == "GetItem"]
        for operation, params in self.sent:
            if operation == "BatchGetItem":
                asked += [one for each in params["RequestItems"].values() for one in each["Keys"]]
        return Counter(one["pk"]["S"] for one in asked)


class Crowd:
    """Threads that use one wrapped client, and what came of each."""

    def __init__(self, raw: Any, **settings: Any) -> None:
        self.gate = Gate()
        raw._make_api_call = self.gate
        self.cache = Cache(CacheConfig(settle_window=0, tables={TABLE: TableConfig(schema=SCHEMA)}, **settings))
        self.client = daxlite.wrap(raw, self.cache)
        self.waiting = threading.Semaphore(0)
        self.timeouts: list[float | None] = []
        self.cache._state.new_event = self._event
        self.threads: dict[str, threading.Thread] = {}
        self.results: dict[str, Any] = {}

    def _event(self) -> threading.Event:
        crowd = self

        class Watched(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                crowd.timeouts.append(timeout)
                crowd.waiting.release()
                assert super().wait(PATIENCE), "nobody wakes this follower"
                return True

        return Watched()

    def start(self, name: str, call: Callable[[], Any]) -> None:
        def work() -> None:
            try:
                self.results[name] = call()
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is this thread's result
                self.results[name] = error

        self.threads[name] = threading.Thread(target=work, daemon=True)
        self.threads[name].start()

    def leader(self, call: Callable[[], Any]) -> None:
        """A thread whose call has reached DynamoDB."""
        self.start(f"leader {len(self.threads)}", call)
        assert self.gate.arrived.acquire(timeout=PATIENCE), "the leader sent nothing"

    def followers(self, number: int, call: Callable[[], Any]) -> list[str]:
        """Threads that wait for another one."""
        names = [f"follower {len(self.threads) + each}" for each in range(number)]
        for name in names:
            self.start(name, call)
        for _ in names:
            assert self.waiting.acquire(timeout=PATIENCE), "a follower does not wait: it asked for itself"
        return names

    def end(self) -> dict[str, Any]:
        self.gate.open()
        for name, thread in self.threads.items():
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{name} hangs"
        return {name: self.results[name] for name in self.threads}

    # Calls

    def get(self, letter: str = "a", **params: Any) -> Any:
        return self.client.get_item(TableName=TABLE, Key=key(letter), **params)

    def batch(self, letters: str) -> Any:
        return self.client.batch_get_item(RequestItems={TABLE: {"Keys": [key(letter) for letter in letters]}})

    def query(self) -> Any:
        values = {":a": key("a")["pk"]}
        return self.client.query(TableName=TABLE, KeyConditionExpression="pk = :a", ExpressionAttributeValues=values)

    def put(self, letter: str = "a") -> Any:
        return self.client.put_item(TableName=TABLE, Item={**key(letter), "v": NEW})


READS: dict[str, Callable[[Crowd], Any]] = {
    "get": Crowd.get,
    "get a part": lambda crowd: crowd.get(ProjectionExpression="v"),
    "query": Crowd.query,
    "query an index": lambda crowd: crowd.client.query(
        TableName=TABLE,
        IndexName="by_owner",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "ann"}},
    ),
    "scan": lambda crowd: crowd.client.scan(TableName=TABLE),
    "batch": lambda crowd: crowd.batch("abc"),
}


@pytest.fixture(scope="module")
def shared_client() -> Iterator[Any]:
    made = boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="AKIA",
        aws_secret_access_key="-",
        endpoint_url="http://127.0.0.1:1",
    )
    yield made
    made.close()


@pytest.fixture
def crowd(shared_client: Any) -> Iterator[Crowd]:
    made = Crowd(shared_client)
    yield made
    made.gate.open()
    del shared_client._make_api_call


def essence(response: Any) -> Any:
    return {name: member for name, member in response.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_concurrent_misses_of_one_thing_call_dynamodb_once(crowd: Crowd, read: Callable[[Crowd], Any]) -> None:
    crowd.leader(lambda: read(crowd))
    crowd.followers(7, lambda: read(crowd))
    results = crowd.end()
    assert len(crowd.gate.sent) == 1
    first = essence(results["leader 0"])
    assert all(essence(result) == first for result in results.values())
    things = 3 if read is READS["batch"] else 1
    total = crowd.cache.stats().total
    assert (total.misses, total.joined, total.hits) == (8 * things, 7 * things, 0)
    assert essence(read(crowd)) == first
    assert len(crowd.gate.sent) == 1, "the answer was stored"


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
    crowd.gate.errors = [error]
    crowd.leader(lambda: read(crowd))
    names = crowd.followers(3, lambda: read(crowd))
    results = crowd.end()
    assert results["leader 0"] is error
    assert len({id(results[name]) for name in names}) == 3
    assert all("ResponseMetadata" in results[name] for name in names)
    assert len(crowd.gate.sent) == 4
    assert crowd.cache.stats().total.joined == 0
    sent = len(crowd.gate.sent)
    read(crowd)
    assert len(crowd.gate.sent) == sent, "the cache is usable, and holds what the followers read"


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_followers_of_a_leader_that_fails_get_their_own_errors(crowd: Crowd, read: Callable[[Crowd], Any]) -> None:
    errors: list[BaseException] = [refused("InternalServerError", status=500) for _ in range(4)]
    crowd.gate.errors = list(errors)
    crowd.leader(lambda: read(crowd))
    crowd.followers(3, lambda: read(crowd))
    results = crowd.end()
    assert {id(result) for result in results.values()} == {id(error) for error in errors}
    assert len(crowd.gate.sent) == 4


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


# Batches


def values(response: Any) -> list[str]:
    return sorted(item["pk"]["S"] for item in response["Responses"][TABLE])


def test_overlapping_batches_ask_for_each_item_once(crowd: Crowd) -> None:
    crowd.leader(lambda: crowd.batch("ab"))
    crowd.leader(lambda: crowd.batch("bc"))
    crowd.leader(lambda: crowd.batch("cad"))
    assert crowd.gate.keys_asked == {"a": 1, "b": 1, "c": 1, "d": 1}
    results = crowd.end()
    assert [values(result) for result in results.values()] == [["a", "b"], ["b", "c"], ["a", "c", "d"]]
    assert crowd.cache.stats().total.joined == 3


def test_gets_and_batches_join_each_other(crowd: Crowd) -> None:
    crowd.leader(lambda: crowd.get("a"))
    crowd.leader(lambda: crowd.batch("ab"))
    (one,) = crowd.followers(1, lambda: crowd.get("b"))
    (all_of_it,) = crowd.followers(1, lambda: crowd.batch("ba"))
    results = crowd.end()
    assert crowd.gate.keys_asked == {"a": 1, "b": 1}
    assert results[one]["Item"] == crowd.gate.item(key("b"))
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
        assert crowd.gate.arrived.acquire(timeout=PATIENCE)
    results = crowd.end()
    assert crowd.gate.keys_asked == {"a": 1, "b": 1}
    assert [values(results[name]) for name in ("one", "other")] == [["a", "b"]] * 2
    assert crowd.cache.stats().total.joined == 2


def test_a_key_that_the_leader_left_unprocessed_is_asked_for_again(crowd: Crowd) -> None:
    answer = crowd.gate.BatchGetItem

    def leave_all(params: dict[str, Any]) -> dict[str, Any]:
        crowd.gate.BatchGetItem = answer  # type: ignore[method-assign]
        return made(Responses={TABLE: []}, UnprocessedKeys=params["RequestItems"])

    crowd.gate.BatchGetItem = leave_all  # type: ignore[method-assign]
    crowd.leader(lambda: crowd.batch("ab"))
    crowd.leader(lambda: crowd.batch("bc"))
    first, second = crowd.end().values()
    assert first["UnprocessedKeys"] == {TABLE: {"Keys": [key("a"), key("b")]}}
    assert values(second) == ["b", "c"]
    assert second["UnprocessedKeys"] == {}
    assert crowd.gate.keys_asked == {"a": 1, "b": 2, "c": 1}


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
    sent = len(crowd.gate.sent)
    assert "new" in str(read(crowd)), "what the first leader read is not stored"
    assert len(crowd.gate.sent) == sent, "what the second one read is"


def test_a_change_of_something_else_keeps_nobody_from_joining(crowd: Crowd) -> None:
    crowd.leader(crowd.get)
    crowd.put("other")
    crowd.followers(1, crowd.get)
    crowd.end()


def test_nobody_waits_without_end(crowd: Crowd) -> None:
    crowd.leader(crowd.get)
    crowd.followers(2, crowd.get)
    crowd.end()
    assert crowd.timeouts == [LONGEST_WAIT] * 2
    assert 0 < LONGEST_WAIT < 60


def test_who_has_waited_long_enough_asks_for_itself_and_is_joined_in_its_turn(crowd: Crowd) -> None:
    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return False  # as if the time had passed

    watched = crowd.cache._state.new_event
    crowd.cache._state.new_event = Impatient
    crowd.leader(crowd.get)
    crowd.leader(crowd.get)
    crowd.cache._state.new_event = watched
    crowd.followers(3, crowd.get)
    results = crowd.end()
    assert all(result["Item"]["v"] == OLD for result in results.values())
    assert len(crowd.gate.sent) == 2


def test_an_error_of_one_thing_does_not_touch_the_flight_of_another(crowd: Crowd) -> None:
    crowd.gate.errors = [refused("ThrottlingException")]
    crowd.leader(lambda: crowd.batch("ab"))
    crowd.leader(lambda: crowd.batch("bc"))
    results = crowd.end()
    assert isinstance(results["leader 0"], ClientError)
    assert values(results["leader 1"]) == ["b", "c"]
    assert crowd.gate.keys_asked == {"a": 1, "b": 2, "c": 1}
