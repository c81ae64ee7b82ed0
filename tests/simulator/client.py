"""Real boto3 clients and resources that a function answers in the place of a server.

botocore validates and serialises the request, and parses the response, as ever; only the exchange over HTTP is left
out, by the event by which botocore's own Stubber leaves it out. The function is given the request with the values of
binary attributes decoded, and returns the response in the same form, or raises.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.model import OperationModel
from botocore.parsers import create_parser

from tests.simulator.errors import RefusedError
from tests.simulator.faults import ENDPOINT

Answer = Callable[[str, dict[str, Any]], dict[str, Any]]

_CONNECTION: dict[str, Any] = {
    "endpoint_url": ENDPOINT,
    "region_name": "us-east-1",
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
    "config": Config(retries={"total_max_attempts": 1}, proxies={}),
}


def simulated_client(answer: Answer) -> Any:
    client = boto3.client("dynamodb", **_CONNECTION)
    connect(client, answer)
    return client


def simulated_async_client(answer: Answer) -> Any:
    """A client of aiobotocore. Nothing in it waits, so a coroutine of its is over at the first step."""
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    async def make() -> Any:
        settings = {name: value for name, value in _CONNECTION.items() if name != "config"}
        config = AioConfig(retries={"total_max_attempts": 1}, proxies={})
        async with get_session().create_client("dynamodb", **settings, config=config) as client:
            return client

    client = asyncio.run(make())
    exchange = _exchange(client, answer)

    async def make_request(model: Any, request: Any, context: Any) -> Any:
        try:
            return exchange(model, request)
        except ReadTimeoutError as error:  # what becomes of a task whose caller waits no longer
            raise asyncio.CancelledError from error

    client._make_request = make_request
    return client


def simulated_resource(answer: Answer) -> Any:
    resource = boto3.resource("dynamodb", **_CONNECTION)
    connect(resource.meta.client, answer)
    return resource


def connect(client: Any, answer: Answer) -> None:
    """Have a client of botocore's, however it was made, answered by this function."""
    exchange = _exchange(client, answer)
    client._make_request = lambda model, request, context: exchange(model, request)


def _exchange(client: Any, answer: Answer) -> _Exchange:
    """What takes the place of HTTP. Not as a hook of botocore's: it could rewrite requests, so daxlite would bypass the
    cache."""
    protocol = client.meta.service_model.resolved_protocol
    if protocol != "json":
        raise RuntimeError(f"botocore speaks {protocol} to DynamoDB by now: teach it to the simulator")
    return _Exchange(answer)


@dataclass
class _HTTPResponse:
    """As much of an HTTP response as botocore looks at once it is parsed."""

    status_code: int
    headers: dict[str, str]
    content: bytes = b""
    text: str = field(default="")


class _Exchange:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._parser = create_parser("json")
        self._count = 0

    def __call__(self, model: OperationModel, params: dict[str, Any], **_: Any) -> tuple[_HTTPResponse, dict[str, Any]]:
        self._count += 1
        request = json.loads(params["body"], object_hook=_decoded)
        status = 200
        try:
            body = self._answer(model.name, request)
        except RefusedError as refused:
            status = refused.status
            body = {"__type": f"com.amazonaws.dynamodb.v20120810#{refused.code}", **refused.members}
            # The one exception whose message is a modelled member of that name.
            body["Message" if refused.code == "TransactionCanceledException" else "message"] = refused.message
        headers = {"x-amzn-requestid": f"{self._count:032X}", "content-type": "application/x-amz-json-1.0"}
        wire = {"status_code": status, "headers": headers, "body": json.dumps(body, default=_encoded).encode()}
        assert model.output_shape is not None
        parsed = self._parser.parse(wire, model.output_shape)
        if status >= 300:
            shape = model.service_model.shape_for_error_code(parsed["Error"]["Code"])
            if shape is not None:
                parsed.update(self._parser.parse(wire, shape))
        parsed["ResponseMetadata"]["RetryAttempts"] = 0
        return _HTTPResponse(status, headers), parsed


def _decoded(value: dict[str, Any]) -> dict[str, Any]:
    """JSON has binary values in base64. Only an attribute value is an object of nothing but a B that is text."""
    if len(value) == 1:
        if isinstance(data := value.get("B"), str):
            return {"B": base64.b64decode(data)}
        if isinstance(members := value.get("BS"), list):
            return {"BS": [base64.b64decode(member) for member in members]}
    return value


def _encoded(value: Any) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"{value!r} is not an attribute value")
    return base64.b64encode(value).decode()
