"""The calls that these tests make, and clients that a scripted DynamoDB answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from tests.scripted_client import ITEM, KEY, TABLE, DynamoDB, made, page
from tests.wrapping.wire import HERE, answer

NEW = {**ITEM, "note": {"S": "new"}}


def get(client: Any, table: str = TABLE, **params: Any) -> Any:
    return client.get_item(TableName=table, Key=KEY, **params)


def put(client: Any, table: str = TABLE, item: Any = NEW) -> Any:
    return client.put_item(TableName=table, Item=item)


def answered(client: Any) -> DynamoDB:
    """Let a DynamoDB answer the client that has one item in each table."""
    return answer(
        client,
        GetItem=made(Item=ITEM),
        Query=page(ITEM),
        Scan=page(ITEM),
        PutItem=made(),
        BatchWriteItem=made(UnprocessedItems={}),
        BatchGetItem=lambda params: made(
            Responses={table: [ITEM] for table in params["RequestItems"]}, UnprocessedKeys={}
        ),
    )


@contextmanager
def new_client(**settings: Any) -> Iterator[Any]:
    """Another client, which a DynamoDB answers."""
    made_now = boto3.client("dynamodb", **{**HERE, **settings})
    answered(made_now)
    yield made_now
    made_now.close()
