"""A program that knows nothing of daxlite: `python examples/plain_program.py TABLE`, or without a change of its code,
`daxlite run -- python examples/plain_program.py TABLE`.

It makes a table of this name with the credentials and the region that boto3 finds, and deletes it at the end. Without
an AWS account: `moto_server -p 5000`, and AWS_ENDPOINT_URL_DYNAMODB=http://localhost:5000 with any credentials and
region.
"""

import sys

import boto3


def main(name: str) -> None:
    orders = boto3.resource("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    orders.wait_until_exists()
    try:
        orders.put_item(Item={"id": "o#1", "total": 42})
        read("a Table", orders.get_item(Key={"id": "o#1"}))
        read("a client of another library", of_another_library(orders.name))
        orders.put_item(Item={"id": "o#1", "total": 43})
        read("after a write", orders.get_item(Key={"id": "o#1"}))
        read("that library again", of_another_library(orders.name))
    finally:
        orders.delete()


def of_another_library(table: str) -> dict:
    client = boto3.client("dynamodb")
    return client.get_item(TableName=table, Key={"id": {"S": "o#1"}})


def read(what: str, response: dict) -> None:
    source = response["ResponseMetadata"]["HTTPHeaders"].get("x-cache", "DynamoDB")
    print(f"{what}: {response['Item']['total']}, from {source}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/plain_program.py TABLE")
    main(sys.argv[1])
