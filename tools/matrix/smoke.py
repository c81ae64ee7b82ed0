"""Whether a hit is answered beside another package: `python smoke.py WAY`, in an environment that has both.

It needs nothing but what that environment has: the server is a few lines of Python's own. Each way reads an item twice,
and the server must be asked once.
"""

import asyncio
import json
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

TABLE: Final = "Orders"
ITEM: Final = {"id": {"S": "o#1"}, "value": {"S": "paid"}}
REPLIES: Final[dict[str, Any]] = {
    "GetItem": {"Item": ITEM},
    "DescribeTable": {
        "Table": {
            "TableName": TABLE,
            "TableStatus": "ACTIVE",
            "TableArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{TABLE}",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        }
    },
    "DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
}


class Server(ThreadingHTTPServer):
    """Answers each operation with one answer, and counts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def connection(self) -> dict[str, Any]:
        """How to make a client of it."""
        return {
            "endpoint_url": f"http://127.0.0.1:{self.server_port}",
            "region_name": "us-east-1",
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing",
        }


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.server.asked[operation] += 1
        body = json.dumps(REPLIES[operation]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amz-crc32", str(zlib.crc32(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def boto3(server: Server) -> None:
    import boto3

    import daxlite

    client = daxlite.wrap(boto3.client("dynamodb", **server.connection))
    for _ in range(2):
        assert client.get_item(TableName=TABLE, Key={"id": ITEM["id"]})["Item"] == ITEM


def aiobotocore(server: Server) -> None:
    from aiobotocore.session import get_session

    import daxlite

    async def main() -> None:
        async with get_session().create_client("dynamodb", **server.connection) as inner:
            client = daxlite.wrap(inner)
            for _ in range(2):
                assert (await client.get_item(TableName=TABLE, Key={"id": ITEM["id"]}))["Item"] == ITEM

    asyncio.run(main())


def aioboto3(server: Server) -> None:
    import aioboto3

    import daxlite

    async def main() -> None:
        session = daxlite.wrap(aioboto3.Session())
        async with session.resource("dynamodb", **server.connection) as resource:
            table = await resource.Table(TABLE)
            for _ in range(2):
                assert (await table.get_item(Key={"id": "o#1"}))["Item"] == {"id": "o#1", "value": "paid"}

    asyncio.run(main())


def pynamodb(server: Server) -> None:
    from pynamodb.attributes import UnicodeAttribute
    from pynamodb.models import Model

    import daxlite.pynamodb

    @daxlite.pynamodb.wrap
    class Order(Model):
        class Meta:
            table_name = TABLE
            host = server.connection["endpoint_url"]
            region = server.connection["region_name"]
            aws_access_key_id = "testing"
            aws_secret_access_key = "testing"  # noqa: S105 - of a server on loopback

        id = UnicodeAttribute(hash_key=True)
        value = UnicodeAttribute()

    for _ in range(2):
        assert Order.get("o#1").value == "paid"


def powertools(server: Server) -> None:
    import boto3
    from aws_lambda_powertools.utilities.parameters import DynamoDBProvider

    import daxlite

    wrapped = daxlite.wrap(boto3.resource("dynamodb", **server.connection))
    provider = DynamoDBProvider(table_name=TABLE, boto3_client=wrapped)
    for _ in range(2):
        assert provider.get("o#1", max_age=0) == "paid"


def opentelemetry(server: Server) -> None:
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

    BotocoreInstrumentor().instrument()  # type: ignore[no-untyped-call,unused-ignore]
    boto3(server)


WAYS: Final[dict[str, Callable[[Server], None]]] = {
    way.__name__: way for way in (boto3, aiobotocore, aioboto3, pynamodb, powertools, opentelemetry)
}


def main(way: str) -> int:
    """Returns the exit status: 1 if the second read was no hit."""
    server = Server()
    WAYS[way](server)
    if server.asked["GetItem"] != 1:
        print(f"two reads asked DynamoDB {server.asked['GetItem']} times")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
