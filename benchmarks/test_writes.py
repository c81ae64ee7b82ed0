"""What a write costs daxlite by itself, while more and more queries are cached."""

import itertools

import daxlite
from benchmarks.conftest import Compare
from benchmarks.interleave import Call, Case
from benchmarks.items import QUERY, TABLE, flat_item
from benchmarks.servers import instant_client


def test_write_beside_queries(compare: Compare) -> None:
    """Without boto3's own cost, in which a difference could hide."""
    compare([Case(f"{queries}", _put_beside(queries)) for queries in (100, 1_000, 10_000, 100_000)])


def _put_beside(queries: int) -> Call:
    """Put items into partitions of which each has a cached query, one after the other."""
    answer = {"Items": [flat_item()], "Count": 1, "ScannedCount": 1}
    client = daxlite.wrap(instant_client(Query=lambda params: answer))
    for number in range(queries):
        client.query(**{**QUERY, "ExpressionAttributeValues": {":pk": {"S": f"customer#{number}"}}})
    numbers = itertools.cycle(range(queries))

    def call() -> None:
        client.put_item(TableName=TABLE, Item=flat_item(f"customer#{next(numbers)}", 1))

    return call
