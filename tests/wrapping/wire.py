"""Clients whose requests are answered before they reach the network."""

import io
import json
import zlib
from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config

from tests.scripted_client import DynamoDB, description

HERE = {
    "region_name": "eu-west-1",
    "endpoint_url": "http://127.0.0.1:1",
    "aws_access_key_id": "AKIATEST",
    "aws_secret_access_key": "secret",
    "config": Config(retries={"total_max_attempts": 1}),
}


class Raw(io.BytesIO):
    """A body as botocore reads it from the network."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def reply_of(body: bytes, **headers: str) -> AWSResponse:
    """A reply with this body, and with the headers that DynamoDB sends unless they are given."""
    own = {"content-length": str(len(body)), "x-amz-crc32": str(zlib.crc32(body))}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return AWSResponse("http://127.0.0.1:1/", 200, HeadersDict(own | given), Raw(body))  # type: ignore[arg-type]


def answer(client: Any, event: str = "before-send.dynamodb", **answers: Any) -> DynamoDB:
    """Let a scripted DynamoDB answer what the client would send over the network, in wire form.

    event: all of its handlers are called, and the first answer counts.
    """
    dynamodb = DynamoDB(**{"DescribeTable": description("pk"), **answers})

    def reply(request: Any, event_name: str, **_: Any) -> AWSResponse:
        response = dynamodb(event_name.rpartition(".")[2], json.loads(request.body))
        return reply_of(
            json.dumps({name: part for name, part in response.items() if name != "ResponseMetadata"}).encode()
        )

    client.meta.events.register(event, reply)
    return dynamodb
