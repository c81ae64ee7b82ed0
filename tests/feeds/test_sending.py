"""Calls of a feed that is told to end: none of them is waited for."""

import threading
from typing import Any

import pytest

from daxlite.feeds.errors import EndedError
from daxlite.feeds.sending import Sending
from daxlite.latch import Latch
from tests.aggregations.servers.waiting import wait_until

NAME = "daxlite-calls-of-a-test"


def is_running() -> bool:
    return any(thread.name == NAME for thread in threading.enumerate())


def test_it_is_called_like_what_it_sends_with() -> None:
    stop = Latch()

    def send(operation: str, params: dict[str, Any]) -> Any:
        if operation == "GetRecords":
            raise KeyError(params["ShardIterator"])
        return operation, params, threading.current_thread().name

    sending = Sending(send, stop, NAME)
    assert not is_running(), "nothing was sent yet"
    assert sending("DescribeStream", {"StreamArn": "a"}) == ("DescribeStream", {"StreamArn": "a"}, NAME)
    with pytest.raises(KeyError, match="b"):
        sending("GetRecords", {"ShardIterator": "b"})
    stop.open()
    wait_until("its thread ends", lambda: not is_running())


def test_who_waits_for_a_reply_is_told_to_end() -> None:
    stop, is_sent, may_reply, sent = Latch(), Latch(), Latch(), []

    def send(operation: str, params: dict[str, Any]) -> Any:
        sent.append(operation)
        is_sent.open()
        may_reply.wait(30)

    sending, raised = Sending(send, stop, NAME), list[BaseException]()

    def call() -> None:
        try:
            sending("GetRecords", {})
        except EndedError as error:
            raised.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    is_sent.wait(30)
    stop.open()
    caller.join(30)
    assert [str(error) for error in raised] == ["GetRecords is not waited for: the feed ends"]
    with pytest.raises(EndedError, match="GetRecords is not sent"):
        sending("GetRecords", {})
    may_reply.open()
    wait_until("its thread ends", lambda: not is_running())
    assert sent == ["GetRecords"]


def test_a_feed_that_ends_before_its_first_call_starts_no_thread() -> None:
    stop = Latch()
    stop.open()
    with pytest.raises(EndedError):
        Sending(lambda operation, params: None, stop, NAME)("DescribeTable", {})
    assert not is_running()
