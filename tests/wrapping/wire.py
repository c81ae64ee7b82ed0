"""Clients whose requests are answered before they reach the network."""

import json
from typing import Any
from unittest import mock

from botocore.config import Config

from tests.calls.scripted import DynamoDB, description

HERE = {
    "region_name": "eu-west-1",
    "endpoint_url": "http://127.0.0.1:1",
    "aws_access_key_id": "AKIATEST",
    "aws_secret_access_key": "secret",
    "config": Config(retries={"total_max_attempts": 1}),
}


def answer(client: Any, **answers: Any) -> DynamoDB:
    """Let a scripted DynamoDB answer what the client would send over the network, in wire form."""
    dynamodb = DynamoDB(**{"DescribeTable": description("pk"), **answers})

    def reply(model: Any, params: dict[str, Any], **_: Any) -> Any:
        return mock.Mock(status_code=200), dynamodb(model.name, json.loads(params["body"]))

    client.meta.events.register("before-call.dynamodb", reply)
    return dynamodb


def is_hit(response: dict[str, Any]) -> bool:
    return "x-cache" in response["ResponseMetadata"].get("HTTPHeaders", {})
