"""A signal handler, or a finaliser, may use the wrapped client while its own thread is inside the cache's lock.

A hit takes no lock, so it is answered there too: with what was true before the change that is under way, which has not
returned to anybody. Whatever needs the lock goes around the cache.
"""

from __future__ import annotations

from typing import Any

import pytest

from daxlite.calls.driver import Progress
from tests.calls.scripted import ITEM, KEY, Lab, made, page

NEW = {**ITEM, "note": {"S": "new"}}


def interrupting(lab: Lab, monkeypatch: pytest.MonkeyPatch, handler: Any) -> None:
    """Have the handler called once from within the lock, as a signal could call it: in the middle of a write, which
    has ticked its stamps and is about to drop the item."""
    entries = lab.cache._state.entries
    plain = type(entries).discard
    called: list[bool] = []

    def interrupted(self: Any, key: Any) -> Any:
        if not called:
            called.append(True)
            assert lab.cache._state.lock._mutex._is_owned()  # type: ignore[attr-defined]
            handler()
        return plain(self, key)

    monkeypatch.setattr(type(entries), "discard", interrupted)


def laboratory() -> Lab:
    lab = Lab(GetItem=made(Item=ITEM), Query=page(ITEM), PutItem=made(), UpdateItem=made(), config={"settle_window": 0})
    lab.get()
    lab.query()
    assert lab.is_hit(lab.get())
    assert lab.is_hit(lab.query())
    return lab


def test_p2_a_handler_that_hits_sees_the_state_before_the_write_that_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = laboratory()
    inner: list[Any] = []
    interrupting(lab, monkeypatch, lambda: inner.append(lab.get()))
    lab("PutItem", Item=NEW)
    assert lab.is_hit(inner[0])
    assert inner[0]["Item"] == ITEM, "the write has not returned"
    after = lab.get()
    assert after["Item"] == NEW
    assert lab.is_hit(after), "nothing was half changed, so nothing had to be dropped"


def test_p2_a_handler_that_finds_a_dead_entry_goes_around_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = laboratory()
    lab.dynamodb.answers |= {"Query": page(NEW), "GetItem": made(Item=NEW)}
    inner: list[Any] = []
    interrupting(lab, monkeypatch, lambda: inner.append(lab.query()))
    lab("PutItem", Item=NEW)
    assert not lab.is_hit(inner[0])
    assert inner[0]["Items"] == [NEW]
    assert lab.cache.stats().total.entries == 0, "whoever held the lock dropped everything"
    assert lab.query()["Items"] == [NEW]
    assert lab.get()["Item"] == NEW


def test_p7_a_handler_that_misses_goes_around_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = laboratory()
    inner: list[Any] = []
    interrupting(lab, monkeypatch, lambda: inner.append(lab.get(ProjectionExpression="age", ConsistentRead=False)))
    lab.dynamodb.answers["GetItem"] = made(Item=ITEM)
    lab.cache.clear()
    lab("PutItem", Item=NEW)
    assert inner[0]["Item"] == ITEM
    assert not lab.is_hit(inner[0])
    assert lab.cache.stats().total.entries == 0
    lab.get()
    assert lab.is_hit(lab.get())


def test_p2_a_handler_that_writes_leaves_nothing_old_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = laboratory()
    newer = {**NEW, "note": {"S": "newer"}}
    interrupting(lab, monkeypatch, lambda: lab("PutItem", Item=newer))
    lab("PutItem", Item=NEW)
    lab.dynamodb.answers |= {"GetItem": made(Item=newer), "Query": page(newer)}
    assert lab.get()["Item"] == newer
    assert lab.query()["Items"] == [newer]


@pytest.mark.faults_expected
def test_p9_a_write_that_an_exception_interrupts_as_its_reply_comes_is_not_sent_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as a time limit that a signal handler raises."""
    lab = Lab(UpdateItem=made())

    def note(progress: Progress, name: str, value: Any) -> None:
        if name == "answer" and value is not None:
            raise TimeoutError("the application's own")
        plain(progress, name, value)

    plain = Progress.__setattr__
    monkeypatch.setattr(Progress, "__setattr__", note)
    with pytest.raises(TimeoutError, match="the application's own"):
        lab("UpdateItem", Key=KEY, UpdateExpression="ADD age :n", ExpressionAttributeValues={":n": {"N": "1"}})
    assert lab.dynamodb.take() == ["UpdateItem"]
