"""A crowd at a cold place: many threads of many processes that miss one thing at once ask DynamoDB for it at most
twice, and none of them waits for a leader that is dead for longer than its deadline."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.tier.conftest import listening
from tests.tier.crew import Process, processes
from tests.tier.worker import Setup

PROCESSES, THREADS = 6, 50
MAX_WAIT = 1.5
KEY = {"pk": {"S": "hot"}, "sk": {"S": "1"}}


@pytest.fixture
def crowd(setup: Setup, table: str) -> Iterator[list[Process]]:
    shared = {"max_wait": MAX_WAIT}
    with processes(PROCESSES, setup.but(shared=shared, timeout=20.0)) as each:
        for process in each:
            listening(process, table)
        yield each


def rush(crowd: list[Process], operation: str, **params: Any) -> tuple[list[Any], list[str], float]:
    """All threads of all processes at once: what they got, what was sent, and the longest time that one waited."""
    at = time.monotonic() + 0.3
    for process in crowd:
        process.send("crowd", THREADS, at, operation, **params)
    answers: list[Any] = []
    sent: list[str] = []
    longest = 0.0
    for process in crowd:
        each, by_it, waited = process.receive()
        answers += each
        sent += by_it
        longest = max(longest, waited)
    return answers, sent, longest


def test_a_crowd_reads_at_most_twice(crowd: list[Process], table: str, raw: Any) -> None:
    items = [{**KEY, "sk": {"S": str(place)}, "v": {"S": "x"}} for place in range(1, 4)]
    for item in items:
        raw.put_item(TableName=table, Item=item)
    answers, sent, _ = rush(crowd, "get_item", TableName=table, Key=KEY)
    assert answers == [items[0]] * (PROCESSES * THREADS)
    assert 1 <= len(sent) <= 2, sent
    answers, sent, _ = rush(
        crowd,
        "query",
        TableName=table,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "hot"}},
    )
    assert answers == [items] * (PROCESSES * THREADS)
    assert 1 <= len(sent) <= 2, sent


def test_nobody_waits_for_a_dead_leader_beyond_its_deadline(crowd: list[Process], table: str, raw: Any) -> None:
    raw.put_item(TableName=table, Item={**KEY, "v": {"S": "x"}})
    leader, *others = crowd
    leader.ask("arm", "after DynamoDB", signal.SIGKILL)
    leader.send("call", "get_item", TableName=table, Key=KEY)
    leader.wait_until_dead()
    answers, sent, longest = rush(others, "get_item", TableName=table, Key=KEY)
    assert [answer["v"]["S"] for answer in answers] == ["x"] * len(answers)
    assert len(sent) <= 2, sent
    # The crowd itself takes a while on few cores.
    assert longest < MAX_WAIT + 2.0
