"""The load of one process of the soak: threads and tasks that read and write, and a log of what each saw, and when.

Each line of the log is JSON and is written with one system call, so that a process that is killed leaves whole lines:

    ["w", number, key or keys, value, start]         a write is about to be sent; the value null for a delete
    ["d", number, end, outcome, operation ids]       it is over: "ok", or "unknown"
    ["r", kind, start, end, {key: value}]            what a read showed; null for an item that is not there
    ["h", moment, operation id]                      a message of another process was heard, and taken to heart
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import threading
import time
from concurrent.futures import CancelledError
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.tier.worker import START_SECONDS, Worker, run_all

PARTITIONS, IN_EACH = 20, 10
RANGES = ((0, 9), (0, 4), (3, 7), (5, 9), (8, 9))
"""The ranges of a partition that are queried."""
KEYS = [(f"p{partition}", f"{place}") for partition in range(PARTITIONS) for place in range(IN_EACH)]


@dataclass(frozen=True)
class Plan:
    """What one process has to do."""

    table: str
    number: int
    """Of the process; no two have the same, the successor of one that was killed included."""
    until: float
    """By the monotonic clock, which all processes share."""
    log: Path
    threads: int
    tasks: int
    """Beside them, in one event loop."""
    seed: int
    with_transactions: bool = True
    pause: float = 0.0
    """Seconds that a thread rests after each call."""


ANSWERS_OF_A_PARTITION = IN_EACH + len(RANGES)

CANCELLED = 0.05
"""The part of the calls of tasks that are cancelled on their way."""
FAILURES = (BotoCoreError, ClientError, CancelledError)

_made: ContextVar[list[str]] = ContextVar("made", default=[])  # noqa: B039 - nobody reads what is made elsewhere
"""The ids of the operations that this call makes at the tier."""


def name_of(key: tuple[str, str]) -> str:
    return "/".join(key)


def typed(key: tuple[str, str]) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


class Log:
    """The log of one process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *parts: Any) -> None:
        os.write(self._file, json.dumps(parts).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


def get_ready(worker: Worker, table: str) -> None:
    """Come to know a table: where its description failed, because the server was slow, a process does without the tier
    for a minute."""
    deadline = time.monotonic() + START_SECONDS
    while not worker.cache._tier._tables:
        if time.monotonic() > deadline:
            raise TimeoutError("DynamoDB does not describe the table: its server may have ended")
        worker.reopen()
        with contextlib.suppress(BotoCoreError, ClientError):
            worker.client.get_item(TableName=table, Key=typed(KEYS[0]))


def load(worker: Worker, plan: Plan) -> int:
    """Read and write until the end of the plan. Returns how many calls were made."""
    log, tier = Log(plan.log), worker.cache._tier
    new_operation, heard = tier.new_operation, tier.heard

    def noted_operation() -> bytes:
        id: bytes = new_operation()
        _made.get().append(id.hex())
        return id

    def noted_message(message: Any) -> None:
        heard(message)
        if message.id not in tier._own:
            log.write("h", time.monotonic(), message.id.hex())

    tier.new_operation, tier.heard = noted_operation, noted_message
    loads = [Load(worker.client, plan, log, thread) for thread in range(plan.threads)]
    with worker.tasks() if plan.tasks else contextlib.nullcontext() as tasks:
        for task in range(plan.threads, plan.threads + plan.tasks):
            chance = random.Random(f"{plan.seed} {plan.number} {task} is cancelled")
            loads.append(Load(tasks.client(chance, CANCELLED), plan, log, task))
        run_all([threading.Thread(target=each.run) for each in loads])
    tier.new_operation, tier.heard = new_operation, heard
    return sum(each.calls for each in loads)


class Load:
    """One thread of it, or one task."""

    def __init__(self, client: Any, plan: Plan, log: Log, thread: int) -> None:
        self._client, self._plan, self._log = client, plan, log
        self._random = random.Random(f"{plan.seed} {plan.number} {thread}")
        self._numbers = (f"{plan.number}.{thread}.{number}" for number in itertools.count())
        self.calls = 0
        writes = [(self._put, 10), (self._update, 7), (self._delete, 4), (self._batch, 2)]
        if plan.with_transactions:
            writes.append((self._transact, 2))
        self._actions, self._weights = zip(
            *[(self._get, 45), (self._query, 22), (self._batch_get, 6), *writes], strict=True
        )

    def run(self) -> None:
        (action,) = self._random.choices(self._actions, self._weights)
        while time.monotonic() < self._plan.until:
            action()
            self.calls += 1
            if self._plan.pause:
                time.sleep(self._plan.pause)
            (action,) = self._random.choices(self._actions, self._weights)

    def _key(self) -> tuple[str, str]:
        # Some keys are hot.
        if self._random.random() < 0.3:
            return KEYS[self._random.randrange(10)]
        return self._random.choice(KEYS)

    # Reads

    def _read(self, kind: str, start: float, shown: dict[str, str | None]) -> None:
        self._log.write("r", kind, start, time.monotonic(), shown)

    def _get(self) -> None:
        key, start = self._key(), time.monotonic()
        try:
            item = self._client.get_item(TableName=self._plan.table, Key=typed(key)).get("Item")
        except FAILURES:
            return
        self._read("get", start, {name_of(key): None if item is None else item["v"]["S"]})

    def _query(self) -> None:
        partition, _ = self._key()
        low, high = self._random.choice(RANGES)
        start = time.monotonic()
        try:
            shown = query(self._client, self._plan.table, partition, low, high)
        except FAILURES:
            return
        self._read("query", start, shown)

    def _batch_get(self) -> None:
        keys, start = list({self._key() for _ in range(4)}), time.monotonic()
        try:
            response = self._client.batch_get_item(
                RequestItems={self._plan.table: {"Keys": [typed(key) for key in keys]}}
            )
        except FAILURES:
            return
        if response.get("UnprocessedKeys"):
            return
        shown: dict[str, str | None] = dict.fromkeys(map(name_of, keys))
        for item in response["Responses"].get(self._plan.table, ()):
            shown[name_of((item["pk"]["S"], item["sk"]["S"]))] = item["v"]["S"]
        self._read("batch", start, shown)

    # Writes

    def _write(
        self, keys: list[tuple[str, str]], value: str | None, number: str, operation: str, **params: Any
    ) -> None:
        made: list[str] = []
        _made.set(made)
        self._log.write("w", number, [name_of(key) for key in keys], value, time.monotonic())
        try:
            response = getattr(self._client, operation)(**params)
            outcome = "unknown" if response.get("UnprocessedItems") else "ok"
        except FAILURES:
            outcome = "unknown"
        self._log.write("d", number, time.monotonic(), outcome, made)

    def _put(self) -> None:
        key, number = self._key(), next(self._numbers)
        item = {**typed(key), "v": {"S": number}}
        self._write([key], number, number, "put_item", TableName=self._plan.table, Item=item)

    def _update(self) -> None:
        key, number = self._key(), next(self._numbers)
        self._write(
            [key],
            number,
            number,
            "update_item",
            TableName=self._plan.table,
            Key=typed(key),
            UpdateExpression="SET v = :v",
            ExpressionAttributeValues={":v": {"S": number}},
        )

    def _delete(self) -> None:
        key, number = self._key(), next(self._numbers)
        self._write([key], None, number, "delete_item", TableName=self._plan.table, Key=typed(key))

    def _batch(self) -> None:
        keys, number = list({self._key() for _ in range(3)}), next(self._numbers)
        requests = [{"PutRequest": {"Item": {**typed(key), "v": {"S": number}}}} for key in keys]
        self._write(keys, number, number, "batch_write_item", RequestItems={self._plan.table: requests})

    def _transact(self) -> None:
        keys, number = list({self._key() for _ in range(2)}), next(self._numbers)
        entries = [{"Put": {"TableName": self._plan.table, "Item": {**typed(key), "v": {"S": number}}}} for key in keys]
        self._write(keys, number, number, "transact_write_items", TransactItems=entries)


def query(client: Any, table: str, partition: str, low: int, high: int) -> dict[str, str | None]:
    """What a range of a partition shows, with null for each item that is not there."""
    response = client.query(
        TableName=table,
        KeyConditionExpression="pk = :p AND sk BETWEEN :l AND :h",
        ExpressionAttributeValues={":p": {"S": partition}, ":l": {"S": str(low)}, ":h": {"S": str(high)}},
    )
    shown: dict[str, str | None] = {name_of((partition, str(place))): None for place in range(low, high + 1)}
    for item in response["Items"]:
        shown[name_of((item["pk"]["S"], item["sk"]["S"]))] = item["v"]["S"]
    return shown


def survey(worker: Worker, table: str, partitions: int) -> tuple[dict[str, str | None], dict[str, str | None], int]:
    """What this process serves now of so many partitions: each item, all items by their partitions, and how many calls
    went to DynamoDB."""
    worker.sent()
    items: dict[str, str | None] = {}
    for key in KEYS[: partitions * IN_EACH]:
        item = worker.client.get_item(TableName=table, Key=typed(key)).get("Item")
        items[name_of(key)] = None if item is None else item["v"]["S"]
    pages: dict[str, str | None] = {}
    for partition in range(partitions):
        for low, high in RANGES:  # all of them must tell the same
            for name, value in query(worker.client, table, f"p{partition}", low, high).items():
                if pages.setdefault(name, value) != value:
                    pages[name] = f"{pages[name]} and {value}"
    return items, pages, len(worker.sent())
