"""How long a round trip takes, and how long a message: each time between publishing and hearing."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.exceptions import ResponseError

from ..shared.keyspace import Keyspace
from ..shared.tags import SIZE
from .facts import Times

ROUND_TRIPS: Final = 200
MESSAGES: Final = 20
LONGEST: Final = 2.0
"""Seconds for the round trips to one server, and for its messages: a slow one is asked less often."""


def round_trips(nodes: Sequence[Any], clock: Callable[[], float] = time.perf_counter) -> Times:
    """Round trips to each server. Raises one of `failures.FAILURES` if one does not answer."""
    found: list[float] = []
    for node in nodes:
        end = clock() + LONGEST
        _answer(node)  # the first one may connect
        for _ in range(ROUND_TRIPS):
            began = clock()
            _answer(node)
            found.append(clock() - began)
            if clock() >= end:
                break
    return Times(tuple(found))


def _answer(node: Any) -> None:
    try:
        node.ping()
    except ResponseError:
        return  # a refusal took as long


def delays(nodes: Sequence[Any], keyspace: Keyspace, clock: Callable[[], float] = time.perf_counter) -> Times:
    """Messages by each server, on a channel to which nobody else listens. None of a server where the user may not
    publish or listen, or where they do not arrive."""
    found: list[float] = []
    for node in nodes:
        channel = keyspace.channel(os.urandom(SIZE))
        subscription = node.pubsub()
        try:
            subscription.subscribe(channel)
            subscription.get_message(timeout=LONGEST)
            end = clock() + LONGEST
            for number in range(MESSAGES):
                began = clock()
                node.publish(channel, number)
                if not _arrives(subscription, str(number).encode(), end, clock):
                    return Times()
                found.append(clock() - began)
        except ResponseError:
            return Times()
        finally:
            subscription.close()
    return Times(tuple(found))


def _arrives(subscription: Any, data: bytes, end: float, clock: Callable[[], float]) -> bool:
    while (left := end - clock()) > 0:
        message = subscription.get_message(timeout=left)
        if message is not None and message["data"] == data:
            return True
    return False
