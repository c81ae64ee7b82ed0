"""The promises, each in its shortest form: a wrapped client on a simulated DynamoDB that lags, loses replies and fails.

The long forms are elsewhere; this is what to read, and what must never move without a word.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from daxlite.cache import state as state_module
from daxlite.cache.memory import MemoryCache
from daxlite.calls.listeners import add_change_listener, remove_change_listener
from daxlite.shared.leases import LEASE
from tests.aggregations.scripted import World as Shared
from tests.aggregations.scripted import elsewhere
from tests.feeds.world import ANN, BOB
from tests.feeds.world import World as Followed
from tests.responses import essence, is_hit
from tests.scripted_client import ScriptedClient, made
from tests.simulated_client import KEY, LAG, NEW, OLD, TABLE, SimulatedClient
from tests.simulator.faults import LOST_REPLY, SERVER_ERROR_AFTER, THROTTLED, TIMEOUT, Fault
from tests.simulator.history import Call


@pytest.fixture(scope="module")
def slow_to_make(edge: str) -> Iterator[SimulatedClient]:
    made = SimulatedClient(edge)
    yield made
    made.close()


@pytest.fixture
def simulated(slow_to_make: SimulatedClient) -> SimulatedClient:
    slow_to_make.reset()
    return slow_to_make


READS: dict[str, Callable[..., Any]] = {
    "get": SimulatedClient.get,
    "get a part": lambda simulated, **given: simulated.get(
        ProjectionExpression="v, nested.#l[0]", ExpressionAttributeNames={"#l": "list"}, **given
    ),
    "query": SimulatedClient.query,
    "count": lambda simulated, **given: simulated.query(Select="COUNT", **given),
    "query an index": SimulatedClient.by_owner,
    "scan": SimulatedClient.scan,
}
any_read = pytest.mark.parametrize("read", READS.values(), ids=READS)


@any_read
def test_p1_transparent_a_hit_is_what_the_plain_client_answers(
    simulated: SimulatedClient, read: Callable[..., Any]
) -> None:
    plain = read(simulated, client=simulated.raw)
    first, second = read(simulated), read(simulated)
    assert (is_hit(first), is_hit(second)) == (False, True)
    assert essence(plain) == essence(first) == essence(second)
    assert second["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_p1_transparent_no_answer_is_older_than_the_ttl(simulated: SimulatedClient) -> None:
    simulated.get()
    simulated.put(NEW, client=simulated.raw)  # another process, without a feed
    simulated.simulator.clock.advance(299.9)
    assert simulated.get()["Item"] == OLD
    simulated.simulator.clock.advance(0.1)
    assert simulated.get()["Item"] == NEW


def test_p1_transparent_errors_are_dynamodbs_own(simulated: SimulatedClient) -> None:
    simulated.get()
    with pytest.raises(ClientError, match="ValidationException"):
        simulated.get(ProjectionExpression="v, v")
    with pytest.raises(simulated.client.exceptions.ResourceNotFoundException):
        simulated.client.get_item(TableName="Unknown", Key=KEY)


@pytest.mark.parametrize("name", [name for name in READS if "index" not in name])
def test_p2_read_your_writes_though_replicas_lag(simulated: SimulatedClient, name: str) -> None:
    read = READS[name]
    simulated.simulator.replicas.base_lag = LAG
    simulated.simulator.clock.advance(LAG)
    simulated.client.delete_item(TableName=TABLE, Key=KEY)
    simulated.drop_item()
    lagging = essence(read(simulated, client=simulated.raw))
    truth = essence(read(simulated, client=simulated.raw, ConsistentRead=True))
    assert lagging != truth
    assert essence(read(simulated)) == truth


def test_p2_read_your_writes_what_a_lagging_index_said_is_not_kept(simulated: SimulatedClient) -> None:
    simulated.simulator.replicas.index_lag = LAG
    simulated.simulator.clock.advance(LAG)
    simulated.put(NEW)
    assert simulated.by_owner()["Items"] == [OLD]
    simulated.simulator.clock.advance(LAG)
    assert simulated.by_owner()["Items"] == [NEW]


@any_read
def test_p3_no_resurrection_a_read_that_overlapped_a_write_is_not_stored(
    simulated: SimulatedClient, read: Callable[..., Any]
) -> None:
    simulated.query("warm")  # the table is described by now
    before = essence(read(simulated, client=simulated.raw))

    def write_once_read(point: str, call: Call) -> None:
        if point == "applied" and call.operation in ("GetItem", "Query", "Scan"):
            simulated.simulator.at = lambda point, call: None
            simulated.client.delete_item(TableName=TABLE, Key=KEY)

    simulated.simulator.at = write_once_read
    assert essence(read(simulated)) == before, "what it saw was true while it looked"
    for _ in range(2):
        assert essence(read(simulated)) == essence(read(simulated, client=simulated.raw)) != before


def test_p3_no_resurrection_two_writes_that_overlapped_leave_no_entry(simulated: SimulatedClient) -> None:
    other = {**OLD, "v": {"N": "3"}}

    def write_again(point: str, call: Call) -> None:
        if point == "applied" and call.operation == "PutItem":
            simulated.simulator.at = lambda point, call: None
            simulated.put(other)

    simulated.get()
    simulated.simulator.at = write_again
    simulated.put(NEW)
    response = simulated.get()
    assert not is_hit(response)
    assert response["Item"] == other


def test_p4_exact_a_write_drops_the_queries_it_could_change_and_no_others(simulated: SimulatedClient) -> None:
    simulated.put({**KEY, "pk": {"S": "b"}, "owner": {"S": "bob"}})
    simulated.simulator.clock.advance(60)
    reads = {
        "own partition": simulated.query,
        "other partition": lambda: simulated.query("b"),
        "left in the index": simulated.by_owner,
        "entered in the index": lambda: simulated.by_owner("cyd"),
        "other in the index": lambda: simulated.by_owner("bob"),
        "scan": simulated.scan,
    }
    for read in reads.values():
        read()
    simulated.put({**NEW, "owner": {"S": "cyd"}})
    assert {name: is_hit(read()) for name, read in reads.items()} == {
        "own partition": False,
        "other partition": True,
        "left in the index": False,
        "entered in the index": False,
        "other in the index": True,
        "scan": False,
    }


def test_p4_exact_a_thousand_queries_of_other_partitions_stay(simulated: SimulatedClient) -> None:
    for number in range(1000):
        simulated.query(f"other {number}")
    simulated.query()
    simulated.put(NEW)
    hits = simulated.cache.stats().total.hits
    for number in range(1000):
        simulated.query(f"other {number}")
    assert simulated.cache.stats().total.hits == hits + 1000
    assert not is_hit(simulated.query())


@any_read
def test_p8_isolated_what_a_caller_does_to_a_response_changes_no_other(
    simulated: SimulatedClient, read: Callable[..., Any]
) -> None:
    def ruin(value: Any) -> None:
        for part in list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []:
            ruin(part)
        if isinstance(value, dict | list):
            value.clear()

    plain = essence(read(simulated, client=simulated.raw))
    for _ in range(3):
        response = read(simulated)
        assert essence(response) == plain
        ruin(response)


@pytest.mark.parametrize("effect", [LOST_REPLY, SERVER_ERROR_AFTER], ids=lambda effect: effect.name)
@any_read
def test_p9_unknown_outcome_counts_as_a_change(
    simulated: SimulatedClient, read: Callable[..., Any], effect: Any
) -> None:
    read(simulated)
    simulated.simulator.faults.append(Fault(effect, {"DeleteItem"}))
    with pytest.raises((ReadTimeoutError, ClientError, asyncio.CancelledError)):  # a task is cancelled where it waits
        simulated.client.delete_item(TableName=TABLE, Key=KEY)
    response = read(simulated)
    assert not is_hit(response)
    assert essence(response) == essence(read(simulated, client=simulated.raw))


@any_read
def test_p9_unknown_outcome_a_write_that_is_applied_after_its_failure_was_reported_shows(
    simulated: SimulatedClient, read: Callable[..., Any]
) -> None:
    """Its caller waited no longer, as a task that is cancelled; the request was still on its way."""
    read(simulated)
    simulated.simulator.faults.append(Fault(TIMEOUT, {"PutItem"}))
    with pytest.raises((ReadTimeoutError, asyncio.CancelledError)):
        simulated.put(NEW)
    assert not is_hit(read(simulated))
    assert not is_hit(read(simulated)), "nothing is kept that it may change"
    simulated.put(NEW, client=simulated.raw)  # now it arrives
    assert essence(read(simulated)) == essence(read(simulated, client=simulated.raw))
    simulated.simulator.clock.advance(10.0)  # it was awaited for a settle window, and has settled by now
    read(simulated)
    assert is_hit(read(simulated))
    assert essence(read(simulated)) == essence(read(simulated, client=simulated.raw))


@pytest.mark.parametrize("drop", [lambda cache: cache.clear(), lambda cache: cache._memory.drop_all()])
def test_p9_unknown_outcome_a_write_is_awaited_whatever_is_dropped(simulated: SimulatedClient, drop: Any) -> None:
    simulated.simulator.faults.append(Fault(TIMEOUT, {"PutItem"}))
    with pytest.raises((ReadTimeoutError, asyncio.CancelledError)):
        simulated.put(NEW)
    drop(simulated.cache)
    simulated.get()
    simulated.put(NEW, client=simulated.raw)  # now it arrives
    assert simulated.get()["Item"] == NEW


def test_p9_unknown_outcome_a_later_write_does_not_hide_one_that_is_applied_after_it(
    simulated: SimulatedClient,
) -> None:
    simulated.get()
    simulated.simulator.faults.append(Fault(TIMEOUT, {"PutItem"}))
    with pytest.raises((ReadTimeoutError, asyncio.CancelledError)):
        simulated.put(NEW)
    simulated.put({**NEW, "v": {"N": "3"}})
    simulated.put(NEW, client=simulated.raw)  # now the first one arrives
    assert simulated.get()["Item"] == NEW


def test_p9_unknown_outcome_a_failed_condition_counts_as_a_change(simulated: SimulatedClient) -> None:
    simulated.get()
    simulated.put(NEW, client=simulated.raw)
    version = {"ConditionExpression": "v = :v", "ExpressionAttributeValues": {":v": OLD["v"]}}
    with pytest.raises(simulated.client.exceptions.ConditionalCheckFailedException):
        simulated.put({**OLD, "v": {"N": "9"}}, **version)
    assert simulated.get()["Item"] == NEW


def test_p9_unknown_outcome_what_was_refused_outright_drops_nothing(simulated: SimulatedClient) -> None:
    simulated.get()
    simulated.simulator.faults.append(Fault(THROTTLED, {"PutItem"}))
    with pytest.raises(ClientError, match="Throttling"):
        simulated.put(NEW)
    assert is_hit(simulated.get())


@pytest.mark.faults_expected
@any_read
def test_p7_faults_of_ours_never_reach_the_application(
    simulated: SimulatedClient, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a fault of ours")

    read(simulated)
    monkeypatch.setattr(MemoryCache, "lookup", fail)
    for name in ("store", "apply"):
        monkeypatch.setattr(state_module.State, name, fail)
    simulated.put(NEW)
    assert essence(read(simulated)) == essence(read(simulated, client=simulated.raw))
    monkeypatch.undo()
    assert essence(read(simulated)) == essence(read(simulated, client=simulated.raw))
    assert simulated.cache.stats().faults >= 2


# Results of computations, in two processes that share a Redis


def read_note(client: ScriptedClient) -> str:
    note: str = client.get()["Item"]["note"]["S"]
    return note


class Shop:
    """Two processes that compute the same from one item, each through a wrapped client of its own."""

    def __init__(self) -> None:
        self.shared = Shared()
        self.note = "old"
        self.processes = [self.shared.process() for _ in range(2)]
        self.clients = [
            ScriptedClient(
                GetItem=lambda params: made(Item={**params["Key"], "note": {"S": self.note}}), PutItem=made()
            )
            for _ in self.processes
        ]
        for process in self.processes:
            remove_change_listener(process.cache)  # each hears of the changes of its own client alone, see `put`
            process.hearing.listen()
        self.totals = [
            process.cache.cached(name="total")(partial(read_note, client))
            for process, client in zip(self.processes, self.clients, strict=True)
        ]

    def put(self, process: int, note: str) -> None:
        add_change_listener(self.processes[process].cache)
        try:
            self.note = note
            self.clients[process].put()
        finally:
            remove_change_listener(self.processes[process].cache)

    def all(self) -> list[str]:
        with elsewhere():
            return [total() for total in self.totals]


def test_p2_read_your_writes_of_a_result() -> None:
    shop = Shop()
    for note in ("old", "new", "newer"):
        shop.put(0, note)
        for _ in range(3):
            assert shop.totals[0]() == note


def test_p9_unknown_outcome_a_result_that_is_computed_before_a_write_arrives_is_not_kept() -> None:
    shop = Shop()
    client = shop.clients[0]
    shop.totals[0]()
    client.dynamodb.answers["PutItem"] = ReadTimeoutError(endpoint_url="")
    with pytest.raises(ReadTimeoutError):
        shop.put(0, "old")
    assert shop.totals[0]() == "old"
    shop.note = "new"  # now it arrives
    assert shop.totals[0]() == "new"


def test_p3_no_resurrection_of_a_result_that_overlapped_a_write() -> None:
    shop = Shop()

    def overtaken() -> str:
        note = read_note(shop.clients[0])
        with elsewhere():
            shop.put(1, "new")
        return note

    total = shop.processes[0].cache.cached(name="overtaken")(overtaken)
    assert total() == "old"
    assert shop.processes[0].counts.stored == 0
    assert total() == "new"


def test_p5_together_a_write_in_one_process_is_seen_by_the_other() -> None:
    shop = Shop()
    for _ in range(3):
        assert shop.all() == ["old", "old"]
    assert shop.processes[1].counts.computations == 0, "one computes for both"
    shop.put(0, "new")
    assert shop.all() == ["new", "new"]


def test_p5_together_a_process_that_cannot_hear_the_others_does_not_trust_what_it_keeps() -> None:
    shop = Shop()
    for _ in range(3):
        assert shop.all() == ["old", "old"]
    shop.processes[1].hearing.is_deaf = True
    shop.put(0, "new")
    shop.shared.clock.advance(LEASE)
    assert shop.all() == ["new", "new"]


def test_p7_faults_of_redis_never_reach_the_application_and_no_change_is_forgotten() -> None:
    shop = Shop()
    assert shop.all() == ["old", "old"]
    with shop.shared.server.down():
        shop.put(0, "new")
        assert shop.totals[0]() == "new"
    shop.shared.clock.advance(60)
    shop.processes[0].cache._outbox.try_again()
    assert shop.all() == ["new", "new"]
    shop.shared.server.flush()
    assert shop.all() == ["new", "new"]
    shop.put(1, "newer")
    assert shop.all() == ["newer", "newer"]


# P6: outside writes


@pytest.fixture(scope="module")
def followed() -> Iterator[Followed]:
    made = Followed()
    yield made
    made.close()


def test_p6_outside_writes_show_once_the_feed_has_told_of_them(followed: Followed) -> None:
    followed.start()
    assert (followed.n, followed.by_owner("ann")["Count"], followed.query()["Count"]) == ("0", 1, 1)
    followed.others_put(1, **BOB)
    followed.read()
    assert (followed.n, followed.by_owner("ann")["Count"]) == ("1", 0)
    assert followed.query()["Items"][0]["n"] == {"N": "1"}


def test_p6_outside_writes_no_record_makes_a_reader_see_an_older_state(followed: Followed) -> None:
    followed.start()
    followed.others_put(1, **ANN)
    followed.others_put(2, **ANN)
    assert followed.n == "2"
    followed.simulator.replicas.choose = lambda call, ticks: ticks[0]  # others lag
    followed.read()
    assert followed.n == "2"


def test_p6_outside_writes_a_gap_drops_everything_of_the_table(followed: Followed) -> None:
    followed.start()
    assert (followed.n, followed.query()["Count"]) == ("0", 1)
    followed.raw.delete_item(TableName=TABLE, Key=KEY)
    followed.lose()
    assert "Item" not in followed.get()
    assert followed.query()["Count"] == 0
