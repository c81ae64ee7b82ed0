"""What is wrong with caches that people put in front of DynamoDB today, each fault a test of ours.

The first five were found in Amazon's own sample of a Python cache for DynamoDB, where each lets a wrong item or an
exception out; the others in libraries that keep results of functions.
"""

import math
from collections.abc import Callable, Generator
from typing import Any

import pytest

from daxlite import KeySchema, TableConfig, TableSchema
from daxlite.cache import clock as clock_module
from daxlite.cache import flights as flight_module
from daxlite.cache import state as state_module
from daxlite.shared.encryption import Encryptor
from daxlite.shared.envelope import Envelope
from daxlite.shared.errors import CorruptValue
from tests.aggregations.scripted import Counted, World
from tests.aggregations.stage import Stage
from tests.collector import profiled
from tests.scripted_client import ITEM, KEY, TABLE, Params, ScriptedClient, made, page

COMPOSITE = {"tables": {TABLE: TableConfig(schema=TableSchema(KeySchema.of("pk", "sk")))}}


def key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


@pytest.mark.parametrize("separator", [":sk:", ":", "#", "|", "/", "\x00", ", ", '","', "-"])
def test_fault_1_keys_whose_parts_join_to_one_text_are_two(separator: str) -> None:
    one, other = key("a", f"b{separator}c"), key(f"a{separator}b", "c")
    client = ScriptedClient(config=COMPOSITE, GetItem=lambda params: made(Item=params["Key"]), DeleteItem=made())
    for each in (one, other, one, other):
        assert client.get(Key=each)["Item"] == each
    assert client.dynamodb.take() == ["GetItem"] * 2
    client("DeleteItem", Key=one)
    assert "Item" not in client.get(Key=one)
    assert client.get(Key=other)["Item"] == other
    assert client.dynamodb.take() == ["DeleteItem"]


@pytest.mark.parametrize(
    "read", [ScriptedClient.get, ScriptedClient.query, lambda client: client("Scan")], ids=["get", "query", "scan"]
)
def test_fault_2_a_read_that_overlaps_a_put_does_not_store_the_old_value(read: Callable[[ScriptedClient], Any]) -> None:
    new = {**ITEM, "note": {"S": "new"}}
    state = ITEM

    def overlapped(answer: Callable[..., Any]) -> Callable[[Params], Any]:
        def reply(params: Params) -> Any:
            nonlocal state
            seen = state
            if seen is ITEM:
                client.put(new)
            return answer(seen)

        return reply

    def put(params: Params) -> Any:
        nonlocal state
        state = params["Item"]
        return made()

    client = ScriptedClient(
        PutItem=put,
        GetItem=overlapped(lambda item: made(Item=item)),
        Query=overlapped(page),
        Scan=overlapped(page),
    )
    assert "new" not in str(read(client)), "DynamoDB answered before the put, and that is what the reader gets"
    for _ in range(2):
        assert "new" in str(read(client))


@pytest.mark.parametrize(
    ("read", "written"), [("1", "1.0"), ("1.0", "1"), ("1e1", "10"), ("0", "-0.0"), (".5", "5E-1")]
)
@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"])
def test_fault_3_a_write_of_a_number_invalidates_every_notation_of_it(operation: str, read: str, written: str) -> None:
    old, new = {"pk": {"N": read}}, {"pk": {"N": written}}
    state = {"v": {"S": "old"}}

    def write(params: Params) -> Any:
        state["v"] = {"S": "new"}
        return made()

    client = ScriptedClient(
        GetItem=lambda params: made(Item={**old, **state}), Query=lambda _: page({**old, **state}), **{operation: write}
    )
    assert client.get(Key=old)["Item"]["v"] == {"S": "old"}
    assert client.query(value=old["pk"])["Items"][0]["v"] == {"S": "old"}
    put = {"Item": {**new, "v": {"S": "new"}}}
    requests: dict[str, Any] = {
        "PutItem": put,
        "UpdateItem": {"Key": new, "UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"S": "new"}}},
        "DeleteItem": {"Key": new},
        "BatchWriteItem": {"RequestItems": {TABLE: [{"PutRequest": put}]}},
        "TransactWriteItems": {"TransactItems": [{"Put": {"TableName": TABLE, **put}}]},
    }
    client(operation, **requests[operation])
    assert client.get(Key=old).get("Item", {}).get("v") != {"S": "old"}
    assert client.query(value=old["pk"])["Items"][0]["v"] == {"S": "new"}


# 4. The cache fails once DynamoDB has applied a write


@pytest.mark.faults_expected
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (state_module, "bumped_tags"),
        (flight_module, "encode_exactly"),
        (state_module.State, "store"),
        (clock_module.ChangeClock, "bump"),
    ],
)
@pytest.mark.parametrize("operation", ["PutItem", "BatchWriteItem"])
def test_fault_4_a_write_that_was_applied_never_raises_because_of_the_cache(
    module: Any, name: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = 0

    def fail(*args: Any, **kwargs: Any) -> Any:
        nonlocal broken
        broken += 1
        if broken == 1:
            raise RuntimeError("the cache is broken")
        return unbroken(*args, **kwargs)

    applied: list[Any] = []

    def apply(params: Params) -> Any:
        applied.append(params)
        return made(UnprocessedItems={}) if operation == "BatchWriteItem" else made()

    client = ScriptedClient(GetItem=made(Item=ITEM), **{operation: apply})
    client.get()
    unbroken = getattr(module, name)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, fail)
        request = (
            {"Item": ITEM} if operation == "PutItem" else {"RequestItems": {TABLE: [{"PutRequest": {"Item": ITEM}}]}}
        )
        response = client(operation, **request)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(applied) == 1, "it is not sent again either"
    assert broken or operation == "BatchWriteItem", "this write does not come by there: the test tests nothing"
    if broken:
        assert client.cache.stats().faults == 1
        assert not client.is_hit(client.get()), "what the cache could not keep true is gone"


# 5. What grows without bound


def test_fault_5_nothing_grows_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 100
    monkeypatch.setattr(clock_module.ChangeClock.__init__, "__defaults__", (0.0, most, -math.inf))
    client = ScriptedClient(
        config={"max_bytes": 20_000},
        GetItem=lambda params: made(Item=params["Key"]),
        Query=page(),
        Scan=page(),
        PutItem=made(),
        DeleteItem=made(),
        BatchGetItem=lambda params: made(Responses={TABLE: []}, UnprocessedKeys={}),
    )
    state = client.memory._state

    def use(number: int) -> None:
        one, other = {"pk": {"S": f"{number}"}}, {"pk": {"S": f"other {number}"}}
        client.get(Key=one)
        client.get(Key=one, ProjectionExpression="note")
        client.query(value=one["pk"])
        client.by_owner(f"{number}")
        client("Scan", Limit=number + 1)
        client("BatchGetItem", RequestItems={TABLE: {"Keys": [one, other]}})
        client.put({**one, "owner": {"S": f"{number}"}})
        client("DeleteItem", Key=other)
        client("GetItem", Key=one, ConsistentRead=True)

    def sizes() -> dict[str, int]:
        counters = state.tables[client.dispatcher.context.table(TABLE).id].counters.values()
        return {
            "entries": len(state.entries),
            "stamps": len(state.changes.stamps),
            "settling": len(state.changes.settling),
            "leaders": len(state.leaders),
            "tables": len(state.tables),
            "reasons": sum(len(each.bypasses) for each in counters),
        }

    for number in range(400):
        use(number)
    full = sizes()
    for number in range(400, 800):
        use(number)
    assert full["settling"] == most
    for name, size in sizes().items():
        assert size <= full[name] * 1.2 + 5, f"{name} grew"
    assert client.cache.stats().total.bytes <= 20_000
    assert full["stamps"] < 400


def test_fault_5_names_of_tables_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "MAX_TABLES", 5)
    client = ScriptedClient(GetItem=made(Item=ITEM), PutItem=made())
    for number in range(20):
        name = f"T{number}"
        client.put(TableName=name)
        assert client.get(TableName=name)["Item"] == ITEM, "what is beyond goes straight to DynamoDB"
    assert len(client.memory._state.tables) == 5


def work(call: Callable[[], Any]) -> int:
    """How many functions of the cache a call runs through."""
    calls = 0

    def profile(frame: Any, event: str, _: Any) -> None:
        nonlocal calls
        if event in ("call", "c_call") and "daxlite" in frame.f_code.co_filename:
            calls += 1

    with profiled(profile):
        call()
    return calls


def test_fault_5_a_write_costs_no_more_for_what_is_cached() -> None:
    """Neither for pages of its own partition, nor for those of others, nor for other tables."""
    client = ScriptedClient(GetItem=made(Item=ITEM), Query=page(), PutItem=made(Attributes=ITEM))
    for _ in range(2):
        client.put()
    alone = work(client.put)
    for number in range(300):
        client.query(Limit=number + 1)
        client.query(value={"S": f"{number}"})
        client.get(Key={"pk": {"S": f"{number}"}})
        client.get(TableName=f"T{number}")
    assert alone > 20
    assert work(client.put) <= alone + 5
    assert client.is_hit(client.query(value={"S": "7"}))
    assert not client.is_hit(client.query(value=KEY["pk"]))


# 6. A loader that raises once leaves the next caller hanging


@pytest.mark.parametrize("error", [LookupError("no luck"), KeyboardInterrupt(), SystemExit()], ids=repr)
def test_fault_6_a_computation_that_raises_leaves_no_caller_hanging(error: BaseException) -> None:
    world = World()
    one, other = world.process(), world.process()

    def fail() -> None:
        raise error

    function = Counted(1, fail)
    totals = [process.cache.cached(ttl=60)(function) for process in (one, other)]
    for _ in range(2):
        with pytest.raises(type(error)):
            totals[0]()
    assert not world.server.keys(":lock")
    function.takes = lambda: None
    began = world.clock()
    assert [totals[1](), totals[0]()] == [1, 1]
    assert world.clock() == began, "no caller waited"


def test_fault_6_a_computation_that_raises_leaves_no_follower_hanging() -> None:
    world = World()
    stage, process, fails = Stage(world.clock), world.process(), [True]

    def compute() -> Generator[None, None, int]:
        yield
        if fails.pop():
            raise LookupError("no luck")
        return 1

    total = process.cache.cached(ttl=60)(compute)
    callers = [stage.asks(process, total._known.request((), {})) for _ in range(3)]
    for caller in callers:
        stage.turn(caller)
    fails[:0] = [False] * 3
    stage.run()
    assert isinstance(callers[0].error, LookupError)
    assert [caller.result for caller in callers[1:]] == [1, 1]
    assert world.clock() == World().clock(), "no caller waited for a time limit"


# 7. What is deleted by a tag depends on which result was stored last


@pytest.mark.parametrize("ttls", [(10, 86400), (86400, 10)], ids=["short first", "long first"])
def test_fault_7_a_tag_reaches_every_result_however_long_it_lives(ttls: tuple[float, float]) -> None:
    world = World()
    process = world.process(near_bytes=0)
    functions = [Counted(name=f"lives {ttl}") for ttl in ttls]
    totals = [
        process.cache.cached(ttl=ttl, jitter=0.0, tags=["orders"])(function)
        for ttl, function in zip(ttls, functions, strict=True)
    ]
    for total in totals:
        total()
    for seconds in (5, 20, 4000, 80_000):
        world.clock.advance(seconds)
        for function in functions:
            function.value += 1
        process.cache.invalidate_tags("orders")
        assert [total() for total in totals] == [function.value for function in functions]


def test_fault_7_a_value_does_not_choose_how_it_is_checked() -> None:
    """A cache with a key believes nothing that was not encrypted with it, even a value that says otherwise."""
    plain, encrypted = Envelope(), Envelope(encryptor=Encryptor([bytes(32)]))
    forged = plain.wrap(b"forged", b"key")
    with pytest.raises(CorruptValue):
        encrypted.unwrap(forged, b"key")
    genuine = encrypted.wrap(b"genuine", b"key")
    assert encrypted.unwrap(genuine, b"key") == b"genuine"
    for at in range(2):
        for header in range(256):
            other = bytearray(genuine)
            other[at] = header
            if bytes(other) != genuine:
                with pytest.raises(CorruptValue):
                    encrypted.unwrap(bytes(other), b"key")
            other = bytearray(forged)
            other[at] = header
            with pytest.raises(CorruptValue):
                encrypted.unwrap(bytes(other), b"key")


def test_fault_7_a_writer_to_redis_cannot_forge_a_result() -> None:
    world = World()
    process, forger = world.process(encryption_keys=(bytes(32),), near_bytes=0), world.process()
    total = process.cache.cached(name="total")(Counted("genuine"))
    forger.cache.cached(name="total")(Counted("forged"))()
    assert total() == "genuine"
    assert process.counts.corrupt > 0


# 8. A lock on which other processes do not wait


def test_fault_8_a_caller_in_another_process_waits_for_the_computation() -> None:
    world = World()
    stage, calls = Stage(world.clock), []

    def compute() -> Generator[None, None, int]:
        calls.append(1)
        for _ in range(5):
            yield
        return len(calls)

    callers = []
    for process in (world.process(), world.process(), world.process()):
        total = process.cache.cached(name="total")(compute)
        callers.append(stage.asks(process, total._known.request((), {})))
    turn = iter(range(10_000))
    stage.run(lambda able: able[next(turn) % len(able)])
    assert [caller.result for caller in callers] == [1, 1, 1]
    assert len(calls) == 1


# 9. A clear() that wipes what others keep


def test_fault_9_clear_leaves_alone_what_is_not_its_own() -> None:
    world = World()
    one, other = world.process(namespace="one"), world.process(namespace="one.two")
    for process in (one, other):
        process.cache.get_or_compute("k", lambda: 1)
    world.server.data["sessions"] = b"of somebody else", world.clock() + 1000
    own = {key: entry for key, entry in world.server.data.items() if key.startswith("one:")}
    foreign = world.server.data.items() - own.items()
    world.server.take()
    one.cache.clear()
    assert len(world.server.take()) == 1, "however much there is"
    assert foreign <= world.server.data.items()
    assert one.cache.get_or_compute("k", lambda: 2) == 2
    assert other.cache.get_or_compute("k", lambda: 2) == 1
