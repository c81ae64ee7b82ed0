"""What threads do: reads and writes of a handful of items that lie close together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from daxlite import KeySchema, TableSchema
from tests.simulator import faults

TABLE, INDEX, LOCAL = "Orders", "by_day", "by_total"
SCHEMA = TableSchema(KeySchema.of("pk", "sk"), {INDEX: KeySchema.of("day")}, {LOCAL: KeySchema.of("pk", "total")})


@dataclass(frozen=True)
class Op:
    """One call of a thread, and how it goes wrong, if it does."""

    operation: str
    request: dict[str, Any]
    effect: faults.Effect | None = None

    @property
    def is_write(self) -> bool:
        return "Write" in self.operation or self.operation in ("PutItem", "UpdateItem", "DeleteItem")

    @property
    def keys(self) -> list[dict[str, Any]]:
        """The items that a write writes."""
        if self.operation == "BatchWriteItem":
            written = [write for entry in self.request["RequestItems"][TABLE] for write in entry.values()]
        elif self.operation == "TransactWriteItems":
            written = [write for entry in self.request["TransactItems"] for write in entry.values()]
        else:
            written = [self.request]
        named = [write.get("Key") or write["Item"] for write in written]
        return [{name: item[name] for name in ("pk", "sk")} for item in named]

    def __repr__(self) -> str:
        went = f" [{self.effect.name}]" if self.effect else ""
        return f"{self.operation}({self.request}){went}"


KEYS = [{"pk": {"S": "a"}, "sk": {"S": sk}} for sk in "12"]
keys = st.sampled_from(KEYS)
days = st.sampled_from(["mon", "tue"])
numbers = st.integers(0, 3).map(lambda number: {"N": str(number)})
items = st.builds(
    lambda key, rest: {**key, **rest},
    keys,
    st.fixed_dictionaries({"n": numbers}, optional={"day": days.map(lambda day: {"S": day}), "total": numbers}),
)


def _op(operation: str, **request: Any) -> Op:
    return Op(operation, request if operation.startswith(("Batch", "Transact")) else {"TableName": TABLE, **request})


def _query(name: str, value: str, **more: Any) -> Op:
    condition = {"KeyConditionExpression": "#k = :v", "ExpressionAttributeNames": {"#k": name}}
    return _op("Query", ExpressionAttributeValues={":v": {"S": value}}, **condition, **more)


def _range(condition: str, *values: str, **more: Any) -> Op:
    """A Query of some of the partition's sort keys."""
    holes = {f":v{number}": {"S": value} for number, value in enumerate(values)}
    return _op(
        "Query",
        KeyConditionExpression=f"pk = :p AND {condition}",
        ExpressionAttributeValues={":p": {"S": "a"}, **holes},
        **more,
    )


item_reads = [
    *[_op("GetItem", Key=key) for key in KEYS],
    _op("GetItem", Key=KEYS[0], ProjectionExpression="n"),
    _op("BatchGetItem", RequestItems={TABLE: {"Keys": KEYS}}),
    _op("BatchGetItem", RequestItems={TABLE: {"Keys": KEYS[:1], "ProjectionExpression": "n"}}),
]
page_reads = [
    _query("pk", "a"),
    _query("pk", "a", ScanIndexForward=False, Limit=1),
    _query("pk", "a", Limit=1),
    _query("pk", "a", Limit=1, ExclusiveStartKey=KEYS[0]),
    _range("sk < :v0", "2"),
    _range("sk = :v0", "2"),
    _range("sk BETWEEN :v0 AND :v1", "15", "3"),
    _range("begins_with(sk, :v0)", "1", ScanIndexForward=False),
    _query("pk", "a", Select="COUNT"),
    _query("pk", "a", IndexName=LOCAL),
    _query("day", "mon", IndexName=INDEX),
    _query("day", "tue", IndexName=INDEX),
    _op("Scan"),
    _op("Scan", IndexName=INDEX),
]
READS = item_reads + page_reads

SET_N = {"UpdateExpression": "SET n = :n"}
writes = st.one_of(
    st.builds(lambda item: _op("PutItem", Item=item), items),
    st.builds(lambda item: _op("PutItem", Item=item, ConditionExpression="attribute_not_exists(n)"), items),
    st.builds(lambda key: _op("DeleteItem", Key=key), keys),
    st.builds(lambda key, n: _op("UpdateItem", Key=key, ExpressionAttributeValues={":n": n}, **SET_N), keys, numbers),
    st.builds(
        lambda key, day: _op(
            "UpdateItem",
            Key=key,
            UpdateExpression="SET #d = :d",
            ExpressionAttributeNames={"#d": "day"},
            ExpressionAttributeValues={":d": {"S": day}},
        ),
        keys,
        days,
    ),
    st.builds(
        lambda key, n: _op(
            "UpdateItem", Key=key, ReturnValues="UPDATED_NEW", ExpressionAttributeValues={":n": n}, **SET_N
        ),
        keys,
        numbers,
    ),
    st.builds(
        lambda item: _op(
            "BatchWriteItem",
            RequestItems={
                TABLE: [
                    {"PutRequest": {"Item": item}},
                    {"DeleteRequest": {"Key": KEYS[1] if item["sk"] == KEYS[0]["sk"] else KEYS[0]}},
                ]
            },
        ),
        items,
    ),
    # An update of an index's key of which the new image follows from the old one.
    st.builds(
        lambda key, day, n: _op(
            "UpdateItem",
            Key=key,
            UpdateExpression="SET #d = if_not_exists(#d, :d) ADD n :n",
            ExpressionAttributeNames={"#d": "day"},
            ExpressionAttributeValues={":d": {"S": day}, ":n": n},
        ),
        keys,
        days,
        numbers,
    ),
    st.builds(
        lambda n, others: _op(
            "BatchWriteItem",
            RequestItems={TABLE: [{"PutRequest": {"Item": {**key, **others, "n": n}}} for key in KEYS]},
        ),
        numbers,
        st.sampled_from([{}, {"day": {"S": "mon"}}]),
    ),
    st.builds(
        lambda item, token: _op(
            "TransactWriteItems", TransactItems=[{"Put": {"TableName": TABLE, "Item": item}}], **token
        ),
        items,
        st.sampled_from([{}, {}, {"ClientRequestToken": "first"}]),
    ),
    # The same each time, so that it may be done before.
    st.builds(
        lambda put, deleted: _op(
            "TransactWriteItems",
            TransactItems=[
                {"Put": {"TableName": TABLE, "Item": {**put, "n": {"N": "1"}}}},
                {"Delete": {"TableName": TABLE, "Key": deleted}},
            ],
            ClientRequestToken=f"{put}",
        ),
        *map(st.just, KEYS),
    ),
)
effects = st.sampled_from(
    [
        faults.LOST_REPLY,
        faults.TIMEOUT,
        faults.CLOSED_AFTER,
        faults.SERVER_ERROR_AFTER,
        faults.SERVER_ERROR_BEFORE,
        faults.THROTTLED,
        faults.unprocessed(lambda table, part: "PutRequest" in part),
    ]
)


@dataclass(frozen=True)
class Program:
    """What happens in one interleaving."""

    items: list[dict[str, Any]]
    """What is in the table at first."""
    warm: list[Op]
    """Reads that fill the cache before the threads start."""
    threads: list[list[Op]]


def threads(reads: list[Op], *, with_faults: bool = False) -> st.SearchStrategy[list[list[Op]]]:
    """Two to four threads of one to three calls each, one of which writes."""
    wrong = st.one_of(st.none(), effects) if with_faults else st.none()
    call = st.builds(
        lambda op, effect: Op(op.operation, op.request, effect), st.one_of(st.sampled_from(reads), writes), wrong
    )
    write = st.builds(lambda op, effect: Op(op.operation, op.request, effect), writes, wrong)
    others = st.lists(st.lists(call, min_size=1, max_size=3), min_size=1, max_size=3)
    return st.builds(lambda first, rest: [first, *rest], st.lists(write, min_size=1, max_size=2), others)


def programs(reads: list[Op], *, with_faults: bool = False) -> st.SearchStrategy[Program]:
    """Programs whose threads make these reads."""
    warm = st.lists(st.sampled_from(READS), max_size=4)
    return st.builds(Program, st.lists(items, max_size=2), warm, threads(reads, with_faults=with_faults))
