"""A table of which the cache answers no read, for a reason that the application did not choose: said once (P7)."""

from typing import Any

import boto3
import pytest

import daxlite
from daxlite import CacheConfig, TableConfig
from daxlite.cache import state
from daxlite.calls.never_cached import AFTER
from daxlite.calls.said_once import MAX_SAID, is_said_first
from tests.scripted_client import ALL_INDEXES, KEY, TABLE, ScriptedClient, answering_client
from tests.wrapping.wire import HERE, reply_of

SECRET = "s3cret-of-an-item"
DUPLICATES = {"RequestItems": {TABLE: {"Keys": [KEY, KEY]}}}
QUOTING: dict[str, Any] = {
    "FilterExpression": f"note = '{SECRET}'",
    "KeyConditionExpression": "pk = :v",
    "ExpressionAttributeValues": {":v": {"S": SECRET}},
}
WARNED: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "a parameter that is None": (
        "GetItem",
        {"Key": KEY, "ProjectionExpression": None},
        ("GetItem and B", "one: None for P"),
    ),
    "a new parameter": (
        "GetItem",
        {"Key": KEY, "Consistency": 3},
        ("GetItem and BatchGetItem", "parameter that is not"),
    ),
    "duplicates": ("BatchGetItem", DUPLICATES, ("GetItem and BatchGetItem", "one: no keys or duplicates")),
    "a literal in an expression": ("Query", QUOTING, ("no Query on", "one: not in the expression language")),
    "a segment alone": ("Scan", {"Segment": 0}, ("no Scan on", "one: a parameter that is not known or is None")),
    "PartiQL": (
        "ExecuteStatement",
        {"Statement": f"SELECT * FROM {TABLE} WHERE pk='{SECRET}'"},  # noqa: S608 - no database is near
        ("no ExecuteStatement on", "PartiQL statements are never cached. Use GetItem"),
    ),
}


@pytest.mark.parametrize("what", WARNED)
def test_p7_reads_that_are_never_cached_are_said_once(what: str, caplog: pytest.LogCaptureFixture) -> None:
    operation, params, words = WARNED[what]
    client = answering_client()
    for _ in range(AFTER - 1):
        client(operation, **params)
    assert caplog.records == []
    for _ in range(2 * AFTER):
        client(operation, **params)
    (record,) = caplog.records
    said = record.getMessage()
    assert (record.name, record.levelname) == ("daxlite", "WARNING")
    assert said.startswith("the cache has answered no ")
    assert f"on {TABLE} in {AFTER} calls: " in said
    assert [word for word in words if word not in said] == []
    assert SECRET not in said


def test_p7_hooks_are_said_for_the_table_too(caplog: pytest.LogCaptureFixture) -> None:
    raw = boto3.client("dynamodb", **HERE)
    raw.meta.events.register("before-send.dynamodb", lambda **_: reply_of(b"{}"))
    raw.meta.events.register("provide-client-params.dynamodb.GetItem", lambda **_: None)
    wrapped = daxlite.wrap(raw, config=CacheConfig(tables={TABLE: TableConfig(schema=ALL_INDEXES)}))
    for _ in range(AFTER + 1):
        wrapped.get_item(TableName=TABLE, Key=KEY)
    said = [record.getMessage() for record in caplog.records if "has answered" in record.getMessage()]
    assert len(said) == 1
    assert "a hook that the application has registered" in said[0]
    raw.close()


CHOSEN: dict[str, Any] = {
    "bypass": {},
    "ConsistentRead": {"ConsistentRead": True},
    "a TTL of 0": {},
    "a table that is off": {},
}


@pytest.mark.parametrize("what", CHOSEN)
def test_choices_of_the_application_say_nothing(what: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"a TTL of 0": TableConfig(item_ttl=0), "a table that is off": TableConfig(enabled=False)}
    client = answering_client(config={"tables": {TABLE: settings[what]}} if what in settings else {})
    for _ in range(2 * AFTER):
        if what == "bypass":
            with daxlite.bypass():
                client.get()
        else:
            client.get(**CHOSEN[what])
        client("TransactGetItems", TransactItems=[{"Get": {"TableName": TABLE, "Key": KEY}}])
    assert client.cache.stats().tables[TABLE]["item"].hits == 0
    assert caplog.records == []


def test_a_table_of_which_one_read_was_looked_up_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    client = answering_client()
    client.get()
    for _ in range(2 * AFTER):
        client.get(Consistency=3)
    assert client.cache.stats().tables[TABLE]["item"].bypasses == {"unrecognised": 2 * AFTER}
    assert caplog.records == []


def test_what_is_said_is_bounded_for_each_cache(caplog: pytest.LogCaptureFixture) -> None:
    client = answering_client()
    for number in range(MAX_SAID + 5):
        for _ in range(AFTER):
            client("GetItem", TableName=f"tenant-{number}", Key=KEY, Consistency=3)
    assert len(caplog.records) == MAX_SAID
    other = ScriptedClient(GetItem=[client.dynamodb.answers["GetItem"]])
    for _ in range(AFTER):
        other.get(Consistency=3)
    assert len(caplog.records) == MAX_SAID + 1


def test_two_threads_do_not_both_say_what_is_said_once() -> None:
    class Cache:
        """A cache's stand-in."""

    class What(str):
        """Between the look and the note, another thread comes with the same."""

        __slots__ = ()
        looked = 0

        def __hash__(self) -> int:
            What.looked += 1
            if What.looked == 2:
                answers.append(is_said_first(cache, self))
            return super().__hash__()

        __eq__ = str.__eq__

    cache, answers = Cache(), list[bool]()
    answers.append(is_said_first(cache, What("Orders")))
    assert sorted(answers) == [False, True]


def test_p7_a_table_too_many_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MAX_TABLES", 2)
    client = answering_client()
    for _ in range(3):
        for name in ("A", "B", "C", "D"):
            client("GetItem", TableName=name, Key=KEY)
    (record,) = [record for record in caplog.records if not record.getMessage().startswith("IAM forbids")]
    assert "calls on other tables bypass it" in record.getMessage()
