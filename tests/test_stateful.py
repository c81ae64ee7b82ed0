"""Random programs of reads and writes over a handful of keys: a wrapped client beside a plain one, after every step.

Each client makes the same calls on a table of its own. There are no other writers, so the wrapped client must always
answer as the plain one does: with anything in the cache, and after any time.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import daxlite
from tests import invariants
from tests.differential import tables
from tests.differential.canonical import canonical, differences
from tests.volume import amount

INDEX = "by_day"
SCHEMA: dict[str, Any] = {
    "KeySchema": tables.keys("pk", "sk"),
    "AttributeDefinitions": tables.attributes(pk="S", sk="N", day="S", total="N"),
    "GlobalSecondaryIndexes": [tables.index(INDEX, "day", "total")],
}

partitions = st.sampled_from(["a", "b#1"])
sorts = st.sampled_from(["1", "2", "10"])
keys = st.builds(lambda pk, sk: {"pk": {"S": pk}, "sk": {"N": sk}}, partitions, sorts)
days = st.sampled_from(["mon", "tue"])
totals = st.sampled_from(["5", "7.5"])
attributes = st.fixed_dictionaries(
    {},
    optional={
        "day": days.map(lambda day: {"S": day}),
        "total": totals.map(lambda total: {"N": total}),
        "note": st.sampled_from([{"S": ""}, {"BOOL": True}, {"NULL": True}, {"L": [{"N": "1"}, {"S": "x"}]}]),
        "address": st.just({"M": {"city": {"S": "Oslo"}, "zip": {"N": "150"}}}),
        "tags": st.sampled_from([{"SS": ["x"]}, {"SS": ["x", "y"]}]),
    },
)
updates = st.sampled_from(
    [
        {"UpdateExpression": "SET note = :v", "ExpressionAttributeValues": {":v": {"S": "updated"}}},
        {
            "UpdateExpression": "SET #d = :v",
            "ExpressionAttributeNames": {"#d": "day"},
            "ExpressionAttributeValues": {":v": {"S": "tue"}},
        },
        {
            "UpdateExpression": "SET #t = :v",
            "ExpressionAttributeNames": {"#t": "total"},
            "ExpressionAttributeValues": {":v": {"N": "7.5"}},
        },
        {"UpdateExpression": "REMOVE #d", "ExpressionAttributeNames": {"#d": "day"}},
        {"UpdateExpression": "REMOVE #t, note", "ExpressionAttributeNames": {"#t": "total"}},
        {"UpdateExpression": "ADD tags :v", "ExpressionAttributeValues": {":v": {"SS": ["z"]}}},
        {"AttributeUpdates": {"note": {"Action": "DELETE"}}},
        {},
    ]
)
conditions = st.sampled_from(
    [{}, {}, {"ConditionExpression": "attribute_exists(pk)"}, {"ConditionExpression": "attribute_not_exists(note)"}]
)
projections = st.sampled_from(
    [
        {},
        {"ProjectionExpression": "note, tags"},
        {"ProjectionExpression": "address.city, pk"},
    ]
)
pages = st.sampled_from([{}, {}, {"Limit": 1}, {"Limit": 2}, {"ScanIndexForward": False}, {"Select": "COUNT"}])
filters = st.sampled_from([{}, {}, {"FilterExpression": "attribute_exists(note)"}])


class Machine(RuleBasedStateMachine):
    raw: Any
    resource: Any

    @initialize()
    def start(self) -> None:
        self.seconds = 0.0
        config = daxlite.CacheConfig(item_ttl=30, query_ttl=20, negative_ttl=10, max_bytes=9_000)
        self.cache = daxlite.Cache(config, clock=lambda: self.seconds)
        self.client = daxlite.wrap(self.raw, cache=self.cache)
        self.native = daxlite.wrap(self.resource, cache=self.cache)
        self.names = dict.fromkeys((make_table(self.raw), make_table(self.raw)), "<table>")
        self.plain_name, self.wrapped_name = self.names

    def both(self, operation: str, **request: Any) -> None:
        self.compare(
            lambda name: getattr(self.raw, operation)(TableName=name, **request),
            lambda name: getattr(self.client, operation)(TableName=name, **request),
        )

    def compare(self, plain: Any, wrapped: Any) -> None:
        expected, actual = (
            canonical(self.outcome(call, name), self.names)
            for call, name in ((plain, self.plain_name), (wrapped, self.wrapped_name))
        )
        assert not list(differences(expected, actual))

    def outcome(self, call: Any, name: str) -> Any:
        try:
            response = call(name)
        except ClientError as error:
            return error
        response.pop("ConsumedCapacity", None)  # moto returns it in places though it was not requested
        return response

    @rule(seconds=st.sampled_from([1, 9, 15, 40]))
    def time_passes(self, seconds: int) -> None:
        self.seconds += seconds

    @rule(key=keys, rest=attributes, condition=conditions, returned=st.sampled_from(["NONE", "ALL_OLD"]))
    def put(self, key: Any, rest: Any, condition: Any, returned: str) -> None:
        self.both("put_item", Item={**key, **rest}, ReturnValues=returned, **condition)

    @rule(key=keys, update=updates, returned=st.sampled_from(["NONE", "NONE", "ALL_NEW", "ALL_OLD"]))
    def update(self, key: Any, update: Any, returned: str) -> None:
        self.both("update_item", Key=key, ReturnValues=returned, **update)

    @rule(key=keys, condition=conditions, returned=st.sampled_from(["NONE", "ALL_OLD"]))
    def delete(self, key: Any, condition: Any, returned: str) -> None:
        self.both("delete_item", Key=key, ReturnValues=returned, **condition)

    @rule(key=keys, rest=attributes, deleted=keys)
    def batch_write(self, key: Any, rest: Any, deleted: Any) -> None:
        requests = [{"PutRequest": {"Item": {**key, **rest}}}, {"DeleteRequest": {"Key": deleted}}]
        self.compare(
            lambda name: self.raw.batch_write_item(RequestItems={name: requests}),
            lambda name: self.client.batch_write_item(RequestItems={name: requests}),
        )

    @rule(key=keys, rest=attributes, deleted=keys, condition=conditions)
    def transact_write(self, key: Any, rest: Any, deleted: Any, condition: Any) -> None:
        def items(name: str) -> list[Any]:
            return [
                {"Put": {"TableName": name, "Item": {**key, **rest}, **condition}},
                {"Delete": {"TableName": name, "Key": deleted}},
            ]

        self.compare(
            lambda name: self.raw.transact_write_items(TransactItems=items(name)),
            lambda name: self.client.transact_write_items(TransactItems=items(name)),
        )

    @rule(key=keys)
    def put_through_a_table(self, key: Any) -> None:
        self.both("put_item", Item={**key, "note": {"S": "native"}})
        item = {"pk": key["pk"]["S"], "sk": int(key["sk"]["N"]), "note": "native"}
        self.native.Table(self.wrapped_name).put_item(Item=item)

    @rule(key=keys, projection=projections)
    def get(self, key: Any, projection: Any) -> None:
        self.both("get_item", Key=key, **projection)

    @rule(key=keys)
    def get_through_a_table(self, key: Any) -> None:
        native = {"pk": key["pk"]["S"], "sk": int(key["sk"]["N"])}
        self.compare(
            lambda name: self.resource.Table(name).get_item(Key=native),
            lambda name: self.native.Table(name).get_item(Key=native),
        )

    @rule(wanted=st.lists(keys, min_size=1, max_size=4, unique_by=str), projection=projections)
    def batch_get(self, wanted: Any, projection: Any) -> None:
        self.compare(
            lambda name: self.raw.batch_get_item(RequestItems={name: {"Keys": wanted, **projection}}),
            lambda name: self.client.batch_get_item(RequestItems={name: {"Keys": wanted, **projection}}),
        )

    @rule(partition=partitions, page=pages, filtered=filters)
    def query(self, partition: str, page: Any, filtered: Any) -> None:
        values = {":p": {"S": partition}}
        self.both("query", KeyConditionExpression="pk = :p", ExpressionAttributeValues=values, **page, **filtered)

    @rule(partition=partitions, start=sorts)
    def query_range(self, partition: str, start: str) -> None:
        values = {":p": {"S": partition}, ":s": {"N": start}}
        self.both("query", KeyConditionExpression="sk >= :s AND pk = :p", ExpressionAttributeValues=values)

    @rule(day=days, page=pages)
    def query_index(self, day: str, page: Any) -> None:
        request = {"KeyConditionExpression": "#d = :d", "ExpressionAttributeNames": {"#d": "day"}}
        self.both("query", IndexName=INDEX, ExpressionAttributeValues={":d": {"S": day}}, **request, **page)

    @rule(index=st.sampled_from([{}, {"IndexName": INDEX}]), filtered=filters)
    def scan(self, index: Any, filtered: Any) -> None:
        self.both("scan", **index, **filtered)

    @invariant()
    def cache_is_sound(self) -> None:
        if hasattr(self, "cache"):
            invariants.check(self.cache._memory)
            assert self.cache.stats().faults == 0

    def teardown(self) -> None:
        for name in getattr(self, "names", ()):
            with contextlib.suppress(ClientError):
                self.raw.delete_table(TableName=name)


_made = iter(range(10**9))


def make_table(client: Any) -> str:
    name = f"stateful-{id(client)}-{next(_made)}"
    client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **SCHEMA)
    return name


@pytest.mark.needs("transactions")
def test_p1_p4_random_programs_answer_as_without_a_cache(raw: Any, raw_resource: Any) -> None:
    machine = type("BoundMachine", (Machine,), {"raw": raw, "resource": raw_resource})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=amount("programs beside a plain client"),
            stateful_step_count=30,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
