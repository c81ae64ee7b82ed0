"""Clients of the servers that the benchmarks run."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.config import Config

from benchmarks import cores
from benchmarks.items import description
from tests import servers
from tests.valkey import Valkey, running_valkey

Reply = Callable[[dict[str, Any]], dict[str, Any]]


def connection(endpoint: str) -> dict[str, Any]:
    """How to make a client or a resource: with boto3's own settings, and none of the person who runs this."""
    return {**servers.connection(endpoint), "config": Config(proxies={})}


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """The endpoint of a moto server on the servers' core."""
    with contextlib.ExitStack() as stack:
        with cores.for_servers():
            backend = stack.enter_context(servers.running(servers.SERVERS["moto"]))
        yield backend.endpoint


@contextlib.contextmanager
def valkey() -> Iterator[Valkey]:
    """A Valkey server on the servers' core."""
    with contextlib.ExitStack() as stack:
        with cores.for_servers():
            server = stack.enter_context(running_valkey())
        yield server


def instant_client(**replies: Reply) -> Any:
    """A client whose calls are answered within the process, by a function for each operation: nothing of boto3's cost
    is left, only that of who stands in front of it.

    >>> instant_client(GetItem=lambda params: {}).get_item(TableName="Any", Key={"pk": {"S": "1"}})
    {'ResponseMetadata': {'RequestId': '1', 'HTTPStatusCode': 200, 'HTTPHeaders': {}, 'RetryAttempts': 0}}
    """
    client: Any = boto3.client("dynamodb", **connection("http://127.0.0.1:9"))
    known: dict[str, Reply] = {"DescribeTable": lambda params: description(params["TableName"]), **replies}
    numbers = itertools.count(1)

    def answer(operation: str, params: dict[str, Any]) -> dict[str, Any]:
        reply = known[operation](params) if operation in known else {}
        metadata = {"RequestId": str(next(numbers)), "HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
        return {**reply, "ResponseMetadata": metadata}

    client._make_api_call = answer
    return client
