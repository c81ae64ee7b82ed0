"""One set of scenarios for both edges: a client for asyncio that a test calls as if it were boto3's.

`--edges threads` leaves asyncio out, where aiobotocore cannot be had: it allows a few versions of botocore at a time.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import wraps
from typing import Any

from daxlite.core.steps import Waitable
from daxlite.drivers.asyncio import AsyncioDriver

EDGES = ("threads", "asyncio")
PATIENCE = 60.0
"""Seconds that a call to a server on this machine never takes."""

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Awaited:
    """Looks like a client for threads: each call is a coroutine's, run to its end."""

    def __init__(self, client: Any, run: Run) -> None:
        self._client = client
        self._run = run

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name in ("get_paginator", "get_waiter"):
            return lambda *args, **kwargs: _Awaited(found(*args, **kwargs), self._run)
        if not inspect.isroutine(found):
            return found

        @wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = found(*args, **kwargs)
            return self._run(result) if inspect.isawaitable(result) else result

        return call

    def __dir__(self) -> list[str]:
        return dir(self._client)


class _Awaited:
    """A paginator or a waiter."""

    def __init__(self, of: Any, run: Run) -> None:
        self._of = of
        self._run = run

    def wait(self, **kwargs: Any) -> None:
        self._run(self._of.wait(**kwargs))

    def paginate(self, **kwargs: Any) -> Any:
        return _Pages(self._of.paginate(**kwargs), self._run)


class _Pages:
    def __init__(self, pages: Any, run: Run) -> None:
        self._pages = pages
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pages, name)

    def __iter__(self) -> Iterator[Any]:
        async def all_pages() -> list[Any]:
            return [page async for page in self._pages]

        return iter(self._run(all_pages()))

    def build_full_result(self) -> Any:
        return self._run(self._pages.build_full_result())

    def search(self, expression: str) -> Any:
        async def found() -> list[Any]:
            return [each async for each in self._pages.search(expression)]

        return iter(self._run(found()))


def run_at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns that never waits for an event loop: what it calls answers at once, or blocks a thread
    that the test's scheduler orders."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return finished.value
    coroutine.close()
    raise AssertionError("the coroutine waits for an event loop")


@contextmanager
def waiting_in_threads() -> Iterator[None]:
    """Within, a task that follows a leader blocks its thread, as the scheduler of the simulator orders threads."""

    async def wait(driver: AsyncioDriver, latch: Waitable, seconds: float) -> None:
        latch.wait(seconds)

    before = AsyncioDriver._wait
    AsyncioDriver._wait = wait  # type: ignore[method-assign]
    try:
        yield
    finally:
        AsyncioDriver._wait = before  # type: ignore[method-assign]


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.submit(coroutine).result(PATIENCE)

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Start a task, in a copy of the context of the thread that asks."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class AsyncClient:
    """A client of aiobotocore, and the event loop that it lives in."""

    def __init__(self, connection: dict[str, Any]) -> None:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session

        config = AioConfig().merge(connection["config"]) if "config" in connection else None
        self.loop = LoopThread()
        self._context = get_session().create_client("dynamodb", **{**connection, "config": config})
        self.client = self.loop.run(self._context.__aenter__())

    def close(self) -> None:
        self.loop.run(self._context.__aexit__(None, None, None))
        self.loop.close()
