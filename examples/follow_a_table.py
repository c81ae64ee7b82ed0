"""Hear of what other programs write: `python examples/follow_a_table.py redis://localhost:6379/0`.

`daxlite follow` reads the stream of a table in a process of its own. Of two writers one is wrapped and one is a plain
boto3 client, as a program without daxlite has it; a reader that caches sees what both write. It makes a small table
with the credentials and the region that boto3 finds, and deletes it at the end. Without an AWS account:
`moto_server -p 5000`, and AWS_ENDPOINT_URL_DYNAMODB=http://localhost:5000 with any credentials and region.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3

import daxlite

KEY = {"pk": {"S": "o#1"}}
PATIENCE = 60.0  # seconds


def main(redis_url: str) -> None:
    plain, table, namespace = boto3.client("dynamodb"), f"daxlite-example-{uuid4().hex[:8]}", f"ex-{uuid4().hex[:8]}"
    plain.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    # Two caches of one tier in this process; each of them could as well be that of another process or machine.
    caches = [daxlite.Cache(shared=daxlite.Shared(redis_url, namespace=namespace)) for _ in range(2)]
    writer, reader = (daxlite.wrap(boto3.client("dynamodb"), cache=cache) for cache in caches)
    try:
        plain.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
        with following(table, redis_url, namespace):
            show(table, plain, writer, reader)
    finally:
        for cache in caches:
            cache.clear()
            cache.close()
        plain.delete_table(TableName=table)


def show(table: str, plain: Any, writer: Any, reader: Any) -> None:
    def put(client: Any, status: str) -> None:
        client.put_item(TableName=table, Item={**KEY, "status": {"S": status}})

    def status() -> tuple[str, str]:
        """The order's status, and who answered."""
        answer = reader.get_item(TableName=table, Key=KEY)
        return answer["Item"]["status"]["S"], answer["ResponseMetadata"]["HTTPHeaders"].get("x-cache", "DynamoDB")

    put(writer, "new")
    wait_for(lambda: status()[1] != "DynamoDB")
    print("the reader, from its cache:", status()[0])

    put(writer, "paid")
    wait_for(lambda: status()[0] == "paid")
    print("the wrapped writer changed it, which the tier tells at once:", status()[0])

    wait_for(lambda: status()[1] != "DynamoDB")
    began = time.monotonic()
    put(plain, "shipped")
    print("another program changed it, and told nobody")
    wait_for(lambda: status()[0] == "shipped")
    is_soon = time.monotonic() - began < 10
    print("the follower heard of it", "within seconds:" if is_soon else "late:", status()[0])


@contextmanager
def following(table: str, redis_url: str, namespace: str) -> Iterator[None]:
    """The follower, in a process of its own. A service manager or a container would run this command."""
    command = ["follow", "--table", table, "--namespace", namespace, "--start", "latest", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "daxlite", *command],
        env={**os.environ, "DAXLITE_REDIS_URL": redis_url},  # other users do not see a password there
        stdout=subprocess.PIPE,
        text=True,
    ) as follower:
        said = json.loads(follower.stdout.readline())
        print("the follower:", said["event"])
        try:
            yield
        finally:
            follower.terminate()  # SIGTERM: it writes where it is, and ends
            lines = follower.communicate()[0].splitlines()
            print("the follower:", json.loads(lines[-1])["text"])


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come true")
        time.sleep(0.05)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/follow_a_table.py REDIS_URL")
    main(sys.argv[1])
