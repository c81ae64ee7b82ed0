"""A simulated DynamoDB behind a client of aiobotocore, each of whose calls waits twice: once it is sent, and once it is
applied. No event loop is needed: a test lets a coroutine go on from wait to wait, and cancels it where it likes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any

from tests.edges import Awaited
from tests.simulated_client import SimulatedClient


class Wait:
    """Where a coroutine waits."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Stepwise(SimulatedClient):
    """The client for asyncio is `client`; the raw one is boto3's, and never waits."""

    def __init__(self) -> None:
        super().__init__("asyncio")
        at_once = self.inner._make_request

        async def make_request(model: Any, request: Any, context: Any) -> Any:
            await Wait()
            reply = await at_once(model, request, context)
            await Wait()
            return reply

        self.inner._make_request = make_request

    def use_cache(self, *args: Any) -> None:
        super().use_cache(*args)
        self.client = Awaited(self.client._client, run)


def run(coroutine: Coroutine[Any, Any, Any], waits: int | None = None) -> Any:
    """What a coroutine returns. waits: so many of its waits are over; then Waiting is raised."""
    try:
        while waits is None or waits >= 0:
            coroutine.send(None)
            waits = None if waits is None else waits - 1
    except StopIteration as finished:
        return finished.value
    raise Waiting


class Waiting(Exception):  # noqa: N818 - what is meant is a state
    """A coroutine waits once more."""


def at_each_wait(start: Callable[[], Coroutine[Any, Any, Any]]) -> Generator[Coroutine[Any, Any, Any], None, None]:
    """The coroutine at its first wait, another one at its second, and so on, until it ends. The caller ends each."""
    number = 0
    while True:
        coroutine = start()
        try:
            run(coroutine, number)
        except Waiting:
            yield coroutine
            number += 1
        else:
            assert number > 1, "it never waited"
            return
