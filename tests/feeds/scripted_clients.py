"""Clients of a feed that a script answers: tables with a stream of one shard, for threads and for tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import Any

from daxlite.feeds.async_clients import AsyncClients
from daxlite.feeds.clients import Clients

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/{}/stream/2026-01-01T00:00:00.000"


class Script:
    """What DynamoDB answers."""

    def __init__(self, dynamodb: Any) -> None:
        """dynamodb: a client, for its credentials and its region."""
        self.dynamodb = dynamodb
        self.records: list[dict[str, Any]] = []
        """What the next GetRecords brings."""
        self.errors: dict[str, Exception] = {}
        """By operation: what it raises."""
        self.hanging: set[str] = set()
        """Operations without an answer."""
        self.calls: list[str] = []
        self.is_closed = False
        """Whether the client of the streams was closed."""
        self.ends = threading.Event()
        """Set, calls without an answer end, so that their threads do."""

    async def until(self, operation: str, times: int = 1) -> None:
        """Wait until it has been sent so often."""
        deadline = time.monotonic() + 30
        while self.calls.count(operation) < times:
            assert time.monotonic() < deadline, operation
            await asyncio.sleep(0.005)

    def reply(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if operation in self.errors:
            raise self.errors[operation]
        match operation:
            case "DescribeTable":
                return {"Table": _table(params["TableName"])}
            case "DescribeStream":
                shard = {"ShardId": "shard-1", "SequenceNumberRange": {"StartingSequenceNumber": "1"}}
                return {"StreamDescription": {"StreamStatus": "ENABLED", "Shards": [shard]}}
            case "GetShardIterator":
                return {"ShardIterator": "here"}
        assert operation == "GetRecords"
        records, self.records = self.records, []
        return {"Records": records, "NextShardIterator": "there"}


class ThreadClients(Clients):
    """As those of boto3."""

    may_filter = True

    def __init__(self, script: Script) -> None:
        super().__init__(script.dynamodb)
        self._script = script

    def send(self, operation: str, params: dict[str, Any]) -> Any:
        self._script.calls.append(operation)
        if operation in self._script.hanging:
            self._script.ends.wait(30)
        return self._script.reply(operation, params)


class TaskClients(AsyncClients):
    """As those of aiobotocore."""

    may_filter = True

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    async def _make(self) -> None:
        self._dynamodb = self._script.dynamodb
        self._made.push_async_callback(self._close)

    async def _close(self) -> None:
        await asyncio.sleep(0)
        self._script.is_closed = True

    async def send(self, operation: str, params: dict[str, Any]) -> Any:
        self._script.calls.append(operation)
        if operation in self._script.hanging:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 30)
        await asyncio.sleep(0)
        return self._script.reply(operation, params)


def record(number: int) -> dict[str, Any]:
    """An item that another program has put."""
    item = {"pk": {"S": "a"}, "n": {"N": str(number)}}
    told = {"Keys": {"pk": item["pk"]}, "NewImage": item, "SequenceNumber": str(number)}
    return {"eventName": "MODIFY", "dynamodb": told}


def _table(name: str) -> dict[str, Any]:
    return {
        "TableName": name,
        "TableArn": f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "LatestStreamArn": STREAM.format(name),
    }
