"""A writer that dies, or stands still, at any point of a write leaves nothing stale beyond its record's deadline
(promise P9). Pages of global indexes may be stale until their TTL."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from tests.tier.conftest import listening
from tests.tier.crew import Process, processes
from tests.tier.points import POINTS
from tests.tier.worker import Setup

TIMEOUT, WINDOW = 0.2, 0.5
RECORD = 2 * TIMEOUT + WINDOW
"""Seconds for which the record of a write stands: connecting, waiting for the reply, and the settle window."""
QUERY_TTL = 1.5
KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


def item(v: str) -> dict[str, Any]:
    return {**KEY, "v": {"S": v}, "own": {"S": v}, "to": {"S": v}, "at": {"S": "1"}}


def shown(process: Process, table: str) -> list[Any]:
    """The version that a process shows of the item: by its key, by its partition, and by a local index."""
    by_key = process.call("get_item", TableName=table, Key=KEY).item
    base = process.call(
        "query",
        TableName=table,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
    ).items
    local = process.call(
        "query",
        TableName=table,
        IndexName="by-own",
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
    ).items
    return [each["v"]["S"] for each in (by_key, *base, *local)]


def by_index(process: Process, table: str, to: str) -> list[str]:
    answer = process.call(
        "query",
        TableName=table,
        IndexName="by-to",
        KeyConditionExpression="#to = :t",
        ExpressionAttributeNames={"#to": "to"},
        ExpressionAttributeValues={":t": {"S": to}},
    )
    return [each["v"]["S"] for each in answer.items]


@pytest.fixture
def patient(setup: Setup) -> Setup:
    """Of the readers."""
    return setup.but(config={"settle_window": WINDOW, "query_ttl": QUERY_TTL})


@pytest.fixture
def hasty(patient: Setup) -> Setup:
    """Of the writer, whose record is short."""
    return patient.but(timeout=TIMEOUT)


def prepare(reader: Process, writer: Process, table: str, patient: Setup, hasty: Setup, raw: Any) -> None:
    raw.put_item(TableName=table, Item=item("1"))
    reader.ask("open", patient)
    writer.ask("open", hasty)
    for process in (reader, writer):
        listening(process, table)
        assert shown(process, table) == ["1"] * 3
    by_index(reader, table, "1")
    time.sleep(WINDOW)  # the index's state is not young any more
    assert by_index(reader, table, "1") == ["1"]


@pytest.mark.parametrize("point", POINTS)
def test_p9_a_killed_writer_leaves_nothing_stale(
    crew: list[Process], table: str, patient: Setup, hasty: Setup, raw: Any, point: str
) -> None:
    reader = crew[0]
    with processes(1) as (writer,):
        prepare(reader, writer, table, patient, hasty, raw)
        writer.ask("arm", point, signal.SIGKILL)
        writer.send("call", "put_item", TableName=table, Item=item("2"))
        writer.wait_until_dead()
    killed = time.monotonic()
    while time.monotonic() < killed + RECORD:
        shown(reader, table)  # fills what it can
    true = raw.get_item(TableName=table, Key=KEY)["Item"]["v"]["S"]
    assert true == ("1" if point in POINTS[:2] else "2")
    assert shown(reader, table) == [true] * 3
    time.sleep(max(0.0, killed + QUERY_TTL - time.monotonic()))
    assert by_index(reader, table, "1") == (["1"] if true == "1" else [])
    assert by_index(reader, table, "2") == ([] if true == "1" else ["2"])
    assert reader.ask("faults") == 0


@pytest.mark.parametrize("point", POINTS)
def test_p9_a_writer_that_stood_still_leaves_nothing_stale(
    crew: list[Process], table: str, patient: Setup, hasty: Setup, raw: Any, point: str
) -> None:
    reader = crew[0]
    with processes(1) as (writer,):
        prepare(reader, writer, table, patient, hasty, raw)
        writer.ask("arm", point, signal.SIGSTOP)
        writer.send("call", "put_item", TableName=table, Item=item("2"))
        writer.wait_until_stopped()
        stopped = time.monotonic()
        while time.monotonic() < stopped + RECORD + 0.1:
            shown(reader, table)
        true = raw.get_item(TableName=table, Key=KEY)["Item"]["v"]["S"]
        assert shown(reader, table) == [true] * 3
        writer.resume()
        writer.receive()
        for process in (writer, reader):
            if process is reader:
                process.ask("has_heard")
            assert shown(process, table) == ["2"] * 3
            assert by_index(process, table, "2") == ["2"]
            assert by_index(process, table, "1") == []
        assert reader.ask("faults") == writer.ask("faults") == 0
