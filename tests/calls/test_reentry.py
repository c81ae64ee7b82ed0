"""A signal handler, or a finaliser, may use the wrapped client while its own thread is inside the cache's lock."""

from __future__ import annotations

from typing import Any

import pytest

from daxlite.calls.driver import Progress
from tests.calls.scripted import ITEM, KEY, Lab, made

NEW = {**ITEM, "note": {"S": "new"}}


def interrupting(lab: Lab, monkeypatch: pytest.MonkeyPatch, handler: Any) -> None:
    """Have the handler called once from within the lock, as a signal could call it."""
    entries = lab.cache._state.entries
    plain = type(entries).__getitem__
    called: list[bool] = []

    def interrupted(self: Any, key: Any) -> Any:
        if not called:
            called.append(True)
            handler()
        return plain(self, key)

    monkeypatch.setattr(type(entries), "__getitem__", interrupted)


def test_p7_a_handler_that_reads_goes_around_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(GetItem=made(Item=ITEM))
    lab.get()
    inner: list[Any] = []
    interrupting(lab, monkeypatch, lambda: inner.append(lab.get()))
    assert lab.get()["Item"] == ITEM
    assert inner[0]["Item"] == ITEM
    assert not lab.is_hit(inner[0])


def test_p2_a_handler_that_writes_leaves_nothing_old_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(GetItem=made(Item=ITEM), PutItem=made(), config={"settle_window": 0})
    lab.get()
    assert lab.is_hit(lab.get())
    interrupting(lab, monkeypatch, lambda: lab("PutItem", Item=NEW))
    lab.get(Key=KEY)
    lab.dynamodb.answers["GetItem"] = made(Item=NEW)
    assert lab.get()["Item"] == NEW


@pytest.mark.faults_expected
def test_p9_a_write_that_an_exception_interrupts_as_its_reply_comes_is_not_sent_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as a time limit that a signal handler raises."""
    lab = Lab(UpdateItem=made())

    def limit(*_: Any) -> None:
        raise TimeoutError("the application's own")

    monkeypatch.setattr(Progress, "replied", limit)
    with pytest.raises(TimeoutError, match="the application's own"):
        lab("UpdateItem", Key=KEY, UpdateExpression="ADD age :n", ExpressionAttributeValues={":n": {"N": "1"}})
    assert lab.dynamodb.take() == ["UpdateItem"]
