"""Scan: whole tables, segments, filters, indexes and counts."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS, PLAIN, order, row


@scenario(PLAIN)
def test_table(steps: Steps) -> None:
    assert steps.read("scan")["Count"] == 6
    steps.read("scan", ConsistentRead=False)
    steps.read("scan", ConsistentRead=True, hit=False)


@scenario(ORDERS)
def test_filters_projections_and_counts(steps: Steps) -> None:
    values: dict[str, Any] = {"ExpressionAttributeValues": {":s": {"S": "open"}}}
    steps.read("scan", FilterExpression="stage = :s", **values)
    steps.read("scan", FilterExpression="stage <> :s", **values)
    steps.read("scan", FilterExpression="stage = :s", **values, Limit=5)
    steps.read("scan", ProjectionExpression="title")
    steps.read("scan", ProjectionExpression="#t", ExpressionAttributeNames={"#t": "title"})
    assert steps.read("scan", Select="COUNT")["Count"] == 12
    steps.read("scan", Select="COUNT", FilterExpression="attribute_exists(holder)")


@scenario(ORDERS)
def test_indexes(steps: Steps) -> None:
    for index, count in {"by-stage": 9, "by-holder": 3, "by-price": 12, "by-stage-of-customer": 9}.items():
        assert steps.read("scan", IndexName=index)["Count"] == count
        steps.read("scan", IndexName=index, Limit=3)
        steps.read("scan", IndexName=index, Select="COUNT")


@scenario(PLAIN)
def test_segments(steps: Steps) -> None:
    for total in (1, 2, 3):
        answers = [steps.read("scan", Segment=segment, TotalSegments=total) for segment in range(total)]
        assert sum(answer["Count"] for answer in answers) == 6


@scenario(ORDERS)
def test_consumed_capacity(steps: Steps) -> None:
    for kind in ("TOTAL", "INDEXES", "NONE"):
        steps.read("scan", ReturnConsumedCapacity=kind)


@scenario(PLAIN)
def test_writes_are_seen(steps: Steps) -> None:
    steps.watch("scan")
    steps.watch("scan", Select="COUNT")
    steps.watch("scan", Segment=0, TotalSegments=2)
    steps.watch("scan", Segment=1, TotalSegments=2)
    steps.write("put_item", Item=row(100))
    steps.write("put_item", Item=row(100) | {"extra": {"BOOL": True}})
    steps.write("delete_item", Key={"pk": {"S": "key-1"}})
    requests = [{"PutRequest": {"Item": row(200)}}, {"DeleteRequest": {"Key": {"pk": {"S": "key-2"}}}}]
    steps.write("batch_write_item", RequestItems={steps.name: requests})


@scenario(ORDERS)
def test_writes_are_seen_by_scans_of_indexes(steps: Steps) -> None:
    for index in ("by-stage", "by-holder", "by-price"):
        steps.watch("scan", IndexName=index)
    steps.write("put_item", Item=order("zoe", 3))
    steps.write("put_item", Item=order("zoe", 3, holder={"S": "zoe"}))
    steps.write("delete_item", Key={"customer": {"S": "ada"}, "seq": {"N": "4"}})


@scenario(ORDERS)
def test_bad_requests_before_and_after_the_scan_is_cached(steps: Steps) -> None:
    bad = (
        {"TotalSegments": 2},
        {"Segment": 2, "TotalSegments": 2},
        {"Limit": 0},
        {"IndexName": "by-nothing"},
        {"FilterExpression": ""},
        {"FilterExpression": "holder = :s"},
        {"ExpressionAttributeValues": {":s": {"S": "x"}}},
        {"ProjectionExpression": "status"},
        {"ExclusiveStartKey": {"customer": {"S": "ada"}}},
        {"TableName": "no-such-table"},
    )
    for request in bad:
        steps.fail("scan", **request)
    steps.attempt("scan", Segment=0)
    steps.attempt("scan", IndexName="by-stage", ConsistentRead=True)
    steps.read("scan")
    steps.read("scan", IndexName="by-stage")
    steps.attempt("scan", Segment=0)
    steps.attempt("scan", IndexName="by-stage", ConsistentRead=True)
    for request in bad:
        steps.fail("scan", **request)
