"""Powertools for AWS Lambda on a wrapped client: `python examples/powertools.py PREFIX`.

It makes two small tables, whose names begin with PREFIX, with the credentials and the region that boto3 finds, and
deletes them at the end. Without an AWS account: `moto_server -p 5000`, and
AWS_ENDPOINT_URL_DYNAMODB=http://localhost:5000 with any credentials and region.
It needs `pip install aws-lambda-powertools`.
"""

import sys
from uuid import uuid4

import boto3
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, idempotent
from aws_lambda_powertools.utilities.parameters import DynamoDBProvider

import daxlite


def main(prefix: str) -> None:
    plain = boto3.resource("dynamodb")
    tables = [
        plain.create_table(
            TableName=f"{prefix}-{uuid4().hex[:8]}",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        for _ in range(2)
    ]
    try:
        for table in tables:
            table.wait_until_exists()
        parameters(tables[0])
        idempotency(tables[1].name)
    finally:
        for table in tables:
            table.delete()


def parameters(table) -> None:
    """Parameters of Powertools' are kept for some seconds in each provider; behind them the cache answers."""
    table.put_item(Item={"id": "rate", "value": "11.73"})
    cache = daxlite.Cache()
    resource = daxlite.wrap(boto3.resource("dynamodb"), cache=cache)
    first, second = (DynamoDBProvider(table.name, boto3_client=resource) for _ in range(2))
    print("from DynamoDB:", first.get("rate"))
    print("another provider, from the cache:", second.get("rate"))

    table.put_item(Item={"id": "rate", "value": "11.80"})  # another program
    print("force_fetch passes by Powertools' own cache:", first.get("rate", force_fetch=True))
    with daxlite.bypass():
        print("and bypass() by daxlite's, too:", first.get("rate", force_fetch=True))
    cache.invalidate(table.name, {"id": "rate"})
    print("invalidated, for all:", second.get("rate", force_fetch=True))


class Context:
    """What Lambda gives a function."""

    function_name, function_version, memory_limit_in_mb = "charge", "1", 128
    invoked_function_arn, aws_request_id = "arn:aws:lambda:us-east-1:123456789012:function:charge", "1"

    def get_remaining_time_in_millis(self) -> int:
        return 3000


def idempotency(table: str) -> None:
    """Powertools reads its records strongly and writes them on conditions: none of that is answered from the cache."""
    client = daxlite.wrap(boto3.client("dynamodb"))
    store = DynamoDBPersistenceLayer(table_name=table, boto3_client=client)

    @idempotent(persistence_store=store)
    def charge(event: dict, context: Context) -> dict:
        print("    charging", event["order"])
        return {"charged": event["order"]}

    for _ in range(2):
        print(charge({"order": "o#1"}, Context()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/powertools.py PREFIX")
    main(sys.argv[1])
