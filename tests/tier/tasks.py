"""Tasks of one process: a client of aiobotocore in an event loop, which threads call as if it were boto3's."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import daxlite
from tests.edges import AsyncClient, Awaited

LONGEST = 0.02
"""Seconds after which a call that is cancelled is cancelled at the latest."""


class Tasks:
    """Makes clients whose calls are tasks of one event loop."""

    def __init__(self, client: AsyncClient, cache: daxlite.Cache) -> None:
        self._client = client
        self._wrapped = daxlite.wrap(client.client, cache=cache)

    def client(self, chance: random.Random, cancelled: float) -> Any:
        """A client for one thread. cancelled: the part of its calls that raise CancelledError, if they are not over
        by then."""

        def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
            call = self._client.loop.submit(coroutine)
            if chance.random() < cancelled:
                threading.Timer(chance.uniform(0.0, LONGEST), call.cancel).start()
            return call.result()

        return Awaited(self._wrapped, run)


@contextlib.contextmanager
def tasks(connection: dict[str, Any], cache: daxlite.Cache) -> Iterator[Tasks]:
    """Within, tasks use this cache. connection: how aiobotocore makes its client."""
    client = AsyncClient(connection)
    try:
        yield Tasks(client, cache)
    finally:
        client.close()
