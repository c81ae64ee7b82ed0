"""What DynamoDB has to answer: how much of the raw call's cost daxlite adds to it."""

import itertools
from typing import Any

import daxlite
from benchmarks.canned import NEW_TABLE
from benchmarks.conftest import Compare
from benchmarks.interleave import Call, Case
from benchmarks.items import TABLE, item, key


def test_through(compare: Compare, raw: Any) -> None:
    wrapped = daxlite.wrap(raw)
    compare(
        [
            Case("GetItem, boto3", _get(raw)),
            Case("GetItem, daxlite, miss", _get(wrapped)),
            Case("PutItem of a new item, boto3", _put(raw, NEW_TABLE)),
            Case("PutItem of a new item, daxlite", _put(wrapped, NEW_TABLE)),
            Case("PutItem over an item, boto3", _put(raw, TABLE)),
            Case("PutItem over an item, daxlite", _put(wrapped, TABLE)),
            Case("DescribeLimits, boto3", raw.describe_limits),
            # The same as before: what differs between these two is chance.
            Case("DescribeLimits, boto3 once more", raw.describe_limits),
            Case("DescribeLimits, daxlite", wrapped.describe_limits),
        ],
        share=4,
    )


def _get(client: Any) -> Call:
    """A key that was not asked for before, each time."""
    numbers = itertools.count()

    def call() -> None:
        client.get_item(TableName=TABLE, Key=key("unasked", next(numbers)))

    return call


def _put(client: Any, table: str) -> Call:
    numbers = itertools.count()

    def call() -> None:
        client.put_item(TableName=table, Item=item(number=next(numbers)))

    return call
