"""The promises, each in its shortest form: a wrapped client on a simulated DynamoDB that lags, loses replies and fails.

The long forms are elsewhere; this is what to read, and what must never move without a word.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from daxlite import Cache
from daxlite.aggregations.capture.capture import capturing
from daxlite.cache import state as state_module
from daxlite.cache.listeners import add_change_listener, remove_change_listener
from daxlite.shared.bus import TRUST
from tests.aggregations.scripted import World as Shared
from tests.calls.scripted import Lab, made
from tests.simulator import Simulator
from tests.simulator.faults import LOST_REPLY, SERVER_ERROR_AFTER, THROTTLED, Fault
from tests.simulator.history import Call
from tests.world import KEY, LAG, NEW, OLD, TABLE, World


@pytest.fixture(scope="module")
def connection() -> Iterator[tuple[Simulator, Any]]:
    simulator = Simulator()
    raw = simulator.client()
    yield simulator, raw
    raw.close()


@pytest.fixture
def world(connection: tuple[Simulator, Any]) -> World:
    return World(*connection)


READS: dict[str, Callable[..., Any]] = {
    "get": World.get,
    "get a part": lambda world, **given: world.get(
        ProjectionExpression="v, nested.#l[0]", ExpressionAttributeNames={"#l": "list"}, **given
    ),
    "query": World.query,
    "count": lambda world, **given: world.query(Select="COUNT", **given),
    "query an index": World.by_owner,
    "scan": World.scan,
}
any_read = pytest.mark.parametrize("read", READS.values(), ids=READS)


def is_hit(response: Any) -> bool:
    return "x-cache" in response["ResponseMetadata"]["HTTPHeaders"]


def essence(response: Any) -> Any:
    return {name: member for name, member in response.items() if name != "ResponseMetadata"}


@any_read
def test_p1_transparent_a_hit_is_what_the_plain_client_answers(world: World, read: Callable[..., Any]) -> None:
    plain = read(world, client=world.raw)
    first, second = read(world), read(world)
    assert (is_hit(first), is_hit(second)) == (False, True)
    assert essence(plain) == essence(first) == essence(second)
    assert second["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_p1_transparent_no_answer_is_older_than_the_ttl(world: World) -> None:
    world.get()
    world.put(NEW, client=world.raw)  # somebody else, of whom nobody tells
    world.simulator.clock.advance(299.9)
    assert world.get()["Item"] == OLD
    world.simulator.clock.advance(0.1)
    assert world.get()["Item"] == NEW


def test_p1_transparent_errors_are_dynamodbs_own(world: World) -> None:
    world.get()
    with pytest.raises(ClientError, match="ValidationException"):
        world.get(ProjectionExpression="v, v")
    with pytest.raises(world.client.exceptions.ResourceNotFoundException):
        world.client.get_item(TableName="Unknown", Key=KEY)


@pytest.mark.parametrize("name", [name for name in READS if "index" not in name])
def test_p2_read_your_writes_though_replicas_lag(world: World, name: str) -> None:
    read = READS[name]
    world.simulator.replicas.base_lag = LAG
    world.simulator.clock.advance(LAG)
    world.client.delete_item(TableName=TABLE, Key=KEY)
    world.drop_item()
    lagging = essence(read(world, client=world.raw))
    truth = essence(read(world, client=world.raw, ConsistentRead=True))
    assert lagging != truth
    assert essence(read(world)) == truth


def test_p2_read_your_writes_what_a_lagging_index_said_is_not_kept(world: World) -> None:
    world.simulator.replicas.index_lag = LAG
    world.simulator.clock.advance(LAG)
    world.put(NEW)
    assert world.by_owner()["Items"] == [OLD]
    world.simulator.clock.advance(LAG)
    assert world.by_owner()["Items"] == [NEW]


@any_read
def test_p3_no_resurrection_a_read_that_overlapped_a_write_is_not_stored(
    world: World, read: Callable[..., Any]
) -> None:
    world.query("warm")  # the table is described by now
    before = essence(read(world, client=world.raw))

    def write_once_read(point: str, call: Call) -> None:
        if point == "applied" and call.operation in ("GetItem", "Query", "Scan"):
            world.simulator.at = lambda point, call: None
            world.client.delete_item(TableName=TABLE, Key=KEY)

    world.simulator.at = write_once_read
    assert essence(read(world)) == before, "what it saw was true while it looked"
    for _ in range(2):
        assert essence(read(world)) == essence(read(world, client=world.raw)) != before


def test_p3_no_resurrection_two_writes_that_overlapped_leave_no_entry(world: World) -> None:
    other = {**OLD, "v": {"N": "3"}}

    def write_again(point: str, call: Call) -> None:
        if point == "applied" and call.operation == "PutItem":
            world.simulator.at = lambda point, call: None
            world.put(other)

    world.get()
    world.simulator.at = write_again
    world.put(NEW)
    response = world.get()
    assert not is_hit(response)
    assert response["Item"] == other


def test_p4_exact_a_write_drops_the_queries_it_could_change_and_no_others(world: World) -> None:
    world.put({**KEY, "pk": {"S": "b"}, "owner": {"S": "bob"}})
    world.simulator.clock.advance(60)
    reads = {
        "own partition": world.query,
        "other partition": lambda: world.query("b"),
        "left in the index": world.by_owner,
        "entered in the index": lambda: world.by_owner("cyd"),
        "other in the index": lambda: world.by_owner("bob"),
        "scan": world.scan,
    }
    for read in reads.values():
        read()
    world.put({**NEW, "owner": {"S": "cyd"}})
    assert {name: is_hit(read()) for name, read in reads.items()} == {
        "own partition": False,
        "other partition": True,
        "left in the index": False,
        "entered in the index": False,
        "other in the index": True,
        "scan": False,
    }


def test_p4_exact_a_thousand_queries_of_other_partitions_stay(world: World) -> None:
    for number in range(1000):
        world.query(f"other {number}")
    world.query()
    world.put(NEW)
    hits = world.cache.stats().total.hits
    for number in range(1000):
        world.query(f"other {number}")
    assert world.cache.stats().total.hits == hits + 1000
    assert not is_hit(world.query())


@any_read
def test_p8_isolated_what_a_caller_does_to_a_response_changes_no_other(world: World, read: Callable[..., Any]) -> None:
    def ruin(value: Any) -> None:
        for part in list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []:
            ruin(part)
        if isinstance(value, dict | list):
            value.clear()

    plain = essence(read(world, client=world.raw))
    for _ in range(3):
        response = read(world)
        assert essence(response) == plain
        ruin(response)


@pytest.mark.parametrize("effect", [LOST_REPLY, SERVER_ERROR_AFTER], ids=lambda effect: effect.name)
@any_read
def test_p9_unknown_outcome_counts_as_a_change(world: World, read: Callable[..., Any], effect: Any) -> None:
    read(world)
    world.simulator.faults.append(Fault(effect, {"DeleteItem"}))
    with pytest.raises((ReadTimeoutError, ClientError)):
        world.client.delete_item(TableName=TABLE, Key=KEY)
    response = read(world)
    assert not is_hit(response)
    assert essence(response) == essence(read(world, client=world.raw))


def test_p9_unknown_outcome_so_does_a_failed_condition(world: World) -> None:
    world.get()
    world.put(NEW, client=world.raw)
    version = {"ConditionExpression": "v = :v", "ExpressionAttributeValues": {":v": OLD["v"]}}
    with pytest.raises(world.client.exceptions.ConditionalCheckFailedException):
        world.put({**OLD, "v": {"N": "9"}}, **version)
    assert world.get()["Item"] == NEW


def test_p9_unknown_outcome_what_was_refused_outright_drops_nothing(world: World) -> None:
    world.get()
    world.simulator.faults.append(Fault(THROTTLED, {"PutItem"}))
    with pytest.raises(ClientError, match="Throttling"):
        world.put(NEW)
    assert is_hit(world.get())


@pytest.mark.faults_expected
@any_read
def test_p7_faults_of_ours_never_reach_the_application(
    world: World, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a fault of ours")

    read(world)
    monkeypatch.setattr(Cache, "lookup", fail)
    for name in ("store", "apply"):
        monkeypatch.setattr(state_module.State, name, fail)
    world.put(NEW)
    assert essence(read(world)) == essence(read(world, client=world.raw))
    monkeypatch.undo()
    assert essence(read(world)) == essence(read(world, client=world.raw))
    assert world.cache.stats().faults >= 2


# Results of computations, in two processes that share a Redis


def read_note(lab: Lab) -> str:
    note: str = lab.get()["Item"]["note"]["S"]
    return note


class Shop:
    """Two processes that compute the same from one item, each through a wrapped client of its own."""

    def __init__(self) -> None:
        self.shared = Shared()
        self.note = "old"
        self.processes = [self.shared.process() for _ in range(2)]
        self.labs = [
            Lab(GetItem=lambda params: made(Item={**params["Key"], "note": {"S": self.note}}), PutItem=made())
            for _ in self.processes
        ]
        for process in self.processes:
            remove_change_listener(process.cache)  # each hears of the changes of its own client alone, see `put`
            process.bus.listen()
        self.totals = [
            process.cache.cached(name="total")(partial(read_note, lab))
            for process, lab in zip(self.processes, self.labs, strict=True)
        ]

    def put(self, process: int, note: str) -> None:
        add_change_listener(self.processes[process].cache)
        try:
            self.note = note
            self.labs[process].put()
        finally:
            remove_change_listener(self.processes[process].cache)

    def all(self) -> list[str]:
        with capturing(None):
            return [total() for total in self.totals]


def test_p2_read_your_writes_of_a_result() -> None:
    shop = Shop()
    for note in ("old", "new", "newer"):
        shop.put(0, note)
        for _ in range(3):
            assert shop.totals[0]() == note


def test_p3_no_resurrection_of_a_result_that_overlapped_a_write() -> None:
    shop = Shop()

    def overtaken() -> str:
        note = read_note(shop.labs[0])
        with capturing(None):
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


def test_p5_together_who_cannot_hear_the_others_does_not_trust_what_it_keeps() -> None:
    shop = Shop()
    for _ in range(3):
        assert shop.all() == ["old", "old"]
    shop.processes[1].bus.is_deaf = True
    shop.put(0, "new")
    shop.shared.clock.advance(TRUST)
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
