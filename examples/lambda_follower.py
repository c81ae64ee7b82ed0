"""A Lambda function that hears of changes of a table: `python examples/lambda_follower.py redis://localhost:6379/0`.

In AWS the function's handler is `lambda_follower.handler`, and FOLLOWER_REDIS is the URL of the Redis that all of your
processes share. Its event source mapping is of the table's stream, or of a Kinesis data stream for DynamoDB, with

    StartingPosition: TRIM_HORIZON
    FunctionResponseTypes: [ReportBatchItemFailures]

Run as a program it shows what the function does, with events as Lambda brings them. It makes a small table with the
credentials and the region that boto3 finds, and deletes it at the end. Without an AWS account: `moto_server -p 5000`,
and AWS_ENDPOINT_URL_DYNAMODB=http://localhost:5000 with any credentials and region.
"""

import base64
import json
import os
import sys
from functools import cache
from uuid import uuid4

import boto3

import daxlite
from daxlite.feeds import lambda_handler

NAMESPACE = "daxlite-example"


@cache
def follower():
    """Made once, by the first invocation: those that come later find its connections open."""
    # The function reads no items, so it keeps none in its own memory.
    shared = daxlite.Shared(os.environ["FOLLOWER_REDIS"], namespace=NAMESPACE, local=False)
    return lambda_handler(daxlite.Cache(shared=shared))


def handler(event, context):
    return follower()(event, context)


def main() -> None:
    client = boto3.client("dynamodb")
    table = client.create_table(
        TableName=f"daxlite-example-{uuid4().hex[:8]}",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    name = table["TableName"]
    client.get_waiter("table_exists").wait(TableName=name)
    try:
        show(client, name, table["LatestStreamArn"])
    finally:
        client.delete_table(TableName=name)


def show(client, table: str, stream: str) -> None:
    shared = daxlite.Shared(os.environ["FOLLOWER_REDIS"], namespace=NAMESPACE, local=False)
    cache = daxlite.Cache(shared=shared)
    reader = daxlite.wrap(client, cache)

    def price() -> str | None:
        """As a service reads it that shares the Redis."""
        item = reader.get_item(TableName=table, Key={"pk": {"S": "p#1"}}).get("Item")
        return None if item is None else item["price"]["N"]

    def write(amount: str) -> dict:
        """Another program changes the item, so the service does not know of it. Returns the item."""
        item = {"pk": {"S": "p#1"}, "price": {"N": amount}}
        client.put_item(TableName=table, Item=item)
        return item

    try:
        first = write("9.99")
        print("the service reads:", price())
        second = write("12.5")
        print("another program wrote 12.5, the service reads:", price())
        print("the function answers:", handler(event_of_a_stream(stream, "INSERT", None, first), None))
        print("the function answers:", handler(event_of_a_stream(stream, "MODIFY", first, second), None))
        print("the service reads:", price())
        third = write("7")
        print("another program wrote 7, the service reads:", price())
        print("the function answers:", handler(event_of_kinesis(table, stream, second, third), None))
        print("the service reads:", price())
        counts = follower().stats()
        print("records:", sum(each.records for each in counts.values()), "of", len(counts), "table")
    finally:
        cache.clear()
        cache.close()


def event_of_a_stream(stream: str, name: str, old: dict | None, new: dict) -> dict:
    """What Lambda brings of a DynamoDB stream. Binary values would be base64."""
    told = {
        "ApproximateCreationDateTime": 1796000000.0,
        "Keys": {"pk": new["pk"]},
        "NewImage": new,
        "SequenceNumber": "100000000000000000000000000001",
        "SizeBytes": 42,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    record = {
        "eventID": "7de3041dd709b024af6f29e4fa13d34c",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream.split(":")[3],
        "dynamodb": told if old is None else {**told, "OldImage": old},
        "eventSourceARN": stream,
    }
    return {"Records": [record]}


def event_of_kinesis(table: str, stream: str, old: dict, new: dict) -> dict:
    """What Lambda brings of a Kinesis data stream to which DynamoDB writes the changes of tables."""
    _, partition, _, region, account, _ = stream.split(":", 5)
    change = {
        "awsRegion": region,
        "eventID": "be2a9d5c-7c3c-4b3e-9d0c-0f3c1f3f2b6a",
        "eventName": "MODIFY",
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": table,
        "dynamodb": {
            "ApproximateCreationDateTime": 1796000000123456,
            "ApproximateCreationDateTimePrecision": "MICROSECOND",
            "Keys": {"pk": new["pk"]},
            "OldImage": old,
            "NewImage": new,
            "SizeBytes": 42,
        },
        "eventSource": "aws:dynamodb",
    }
    record = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "8E5A2D1C0B9F7E6D",
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": base64.b64encode(json.dumps(change).encode()).decode(),
            "approximateArrivalTimestamp": 1796000000.123,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000000:49590338271490256608559692538361571095921575989136588898",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:{partition}:iam::{account}:role/follower",
        "awsRegion": region,
        "eventSourceARN": f"arn:{partition}:kinesis:{region}:{account}:stream/changes",
    }
    return {"Records": [record]}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/lambda_follower.py REDIS_URL")
    os.environ["FOLLOWER_REDIS"] = sys.argv[1]
    main()
