"""AsyncAggregationCache: results of computations in Redis, for asyncio."""

import asyncio
import functools
import inspect
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, Unpack

from msgspec import UNSET

from ..calls.bypass import bypass
from ..shared.clients import AsyncClient, Client, async_client_of, client_of
from ..shared.connection import AsyncConnection, Unavailable
from ..shared.tags import EVERYTHING, result_tag
from .async_driver import AsyncDriver
from .base import Base
from .cache import timeout_of, with_on_error
from .dependencies import Dependency, named_tags
from .driver import Progress
from .engine.get_or_compute import get_or_compute, near_hit, peek, refresh
from .engine.request import ComputeRequest
from .functions.function import DependsOn, Function
from .functions.method import CachedMethod
from .settings import AggregationConfig, OptionNames

P = ParamSpec("P")
R = TypeVar("R")


class AsyncAggregationCache(Base):
    """As AggregationCache, for functions that are coroutines. They share their results where their names are the same.

    >>> import asyncio, fakeredis
    >>> async def main() -> None:
    ...     server = fakeredis.FakeServer()
    ...     aggregations = AsyncAggregationCache(
    ...         fakeredis.FakeAsyncRedis(server=server), "shop", sync_client=fakeredis.FakeRedis(server=server)
    ...     )
    ...     @aggregations.cached(ttl=300)
    ...     async def total(prices: list[int]) -> int:
    ...         print("computing")
    ...         return sum(prices)
    ...     print(await total([1, 2]), await total([1, 2]))
    ...     await aggregations.close()
    >>> asyncio.run(main())
    computing
    3 3
    """

    def __init__(
        self,
        server: str | AsyncClient,
        namespace: str,
        config: AggregationConfig | None = None,
        *,
        sync_client: Client | None = None,
        on_error: Any = UNSET,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        """Make one.

        server: a URL or a client of redis.asyncio. sync_client: with such a client, one for threads of the same server
        or cluster beside it: boto3 clients know nothing of asyncio, so what they read and write is noted by it, and the
        bus listens in a thread. The rest is as for AggregationCache.
        """
        config = with_on_error(config, on_error)
        timeout = timeout_of(config)
        client = async_client_of(server, timeout)
        if isinstance(server, str) and sync_client is not None:
            raise TypeError("sync_client goes with a client of redis.asyncio; of a URL both are made")
        if isinstance(server, AsyncClient) and sync_client is None:
            raise TypeError("with a client of redis.asyncio, give also sync_client: a redis.Redis for the same server")
        self._owns_client = isinstance(server, str)
        super().__init__(
            lambda: client_of(server if isinstance(server, str) else sync_client, timeout),
            server if isinstance(server, str) else sync_client,
            namespace,
            config,
            clock,
            wall_clock,
            random,
            asyncio.current_task,
        )

        def connect() -> Any:
            return async_client_of(server, timeout)

        self._async_connection = AsyncConnection(
            client, self._connection.breaker, connect if self._owns_client else None
        )
        self._driver = AsyncDriver(self._async_connection, raises=self.config.on_error == "raise")

    def cached(
        self,
        ttl: float | None = None,
        *,
        tags: Iterable[str] = (),
        depends_on: DependsOn = (),
        version: str | int | None = None,
        name: str | None = None,
        key: Callable[..., Any] | None = None,
        returns: Any = UNSET,
        **options: Unpack[OptionNames],
    ) -> Callable[[Callable[P, Awaitable[R]]], "AsyncCachedFunction[P, R]"]:
        """A decorator, as AggregationCache.cached, for a coroutine function."""
        checked = self._options(ttl, options)  # here, where they are written

        def decorate(function: Callable[P, Awaitable[R]]) -> AsyncCachedFunction[P, R]:
            if not inspect.iscoroutinefunction(function):
                raise TypeError("this function is no coroutine function: AggregationCache takes it")
            known = self._function(
                function,
                checked,
                name=name,
                version=version,
                key=key,
                returns=returns,
                tags=tags,
                depends_on=depends_on,
            )
            return AsyncCachedFunction(self, function, known)

        return decorate

    async def get_or_compute(
        self,
        key: Any,
        compute: Callable[[], Awaitable[R]],
        *,
        ttl: float | None = None,
        tags: Iterable[str] = (),
        depends_on: Iterable[Dependency | str] = (),
        returns: Any = UNSET,
        **options: Unpack[OptionNames],
    ) -> R:
        """As AggregationCache.get_or_compute; `compute` is a coroutine function."""
        result: R = await self._answer(
            self._keyed(key, compute, ttl, tags=tags, depends_on=depends_on, returns=returns, options=options)
        )
        return result

    async def invalidate_tags(self, *names: str) -> None:
        """Make everything stale that has one of these tags, in all processes."""
        await self._invalidate(named_tags(names))

    async def peek(self, key: Any, default: Any = None, *, returns: Any = UNSET) -> Any:
        """What `get_or_compute` keeps under a key, if it is fresh, else the default. Computes nothing."""
        return await self._peek(self._look(key, returns), default)

    async def invalidate(self, key: Any) -> None:
        """Make stale what `get_or_compute` keeps under a key."""
        await self._invalidate((result_tag(self._digest(key)),))

    async def clear(self) -> None:
        """Make everything in the namespace stale, in all processes. Takes one command, however much that is."""
        await self._invalidate((EVERYTHING,))

    async def close(self) -> None:
        """Stop listening, end what is computed in the background, and close the connections that a URL made."""
        await self._driver.close()
        await asyncio.to_thread(self._close)
        if self._owns_client:
            await self._async_connection.client.aclose()
            self._connection.client.close()

    # For AsyncCachedFunction

    async def _answer(self, request: ComputeRequest) -> Any:
        progress = Progress()
        try:
            hit = near_hit(self._engine, request)
            return (
                hit[0] if hit is not None else await self._driver.drive(get_or_compute(self._engine, request), progress)
            )
        except BaseException as error:  # noqa: BLE001 - sorted out there
            self._rescued(progress, error)
        return await self._plainly(request, progress)

    async def _refresh(self, request: ComputeRequest) -> Any:
        progress = Progress()
        try:
            return await self._driver.drive(refresh(self._engine, request), progress)
        except BaseException as error:  # noqa: BLE001 - sorted out there
            self._rescued(progress, error)
        return await self._plainly(request, progress)

    async def _plainly(self, request: ComputeRequest, progress: Progress) -> Any:
        if progress.results is not None:
            return progress.results[0]
        with bypass():  # nobody has seen to it that the caches of this process are not behind
            return await request.compute()

    async def _peek(self, request: ComputeRequest, default: Any) -> Any:
        try:
            return await self._driver.drive(peek(self._engine, request, default))
        except BaseException as error:  # noqa: BLE001 - sorted out there
            if not isinstance(error, Unavailable):
                self._rescued(Progress(), error)
        return default

    async def _invalidate(self, tags: tuple[bytes, ...]) -> None:
        try:
            await self._driver.drive(self._outbox.invalidate(tags))
        except BaseException as error:  # noqa: BLE001 - sorted out there
            self._outbox.retry()
            if not isinstance(error, Unavailable):
                self._rescued(Progress(), error)


class AsyncCachedFunction(Generic[P, R]):
    """A coroutine function whose results are kept. Called like the function itself."""

    def __init__(self, cache: AsyncAggregationCache, function: Callable[P, Awaitable[R]], known: Function) -> None:
        functools.update_wrapper(self, function, updated=())  # an attribute of its own must not hide one of ours
        if sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(self)
        self._cache = cache
        self._known = known
        self._qualified_name = str(getattr(function, "__qualname__", known.name))

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = await self._cache._answer(self._known.request(args, kwargs))
        return result

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else CachedMethod(self, instance)

    def __reduce__(self) -> str:
        return self._qualified_name  # as a function is pickled: by its name, for a pool of processes

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result now, and keep it; whatever is kept already."""
        result: R = await self._cache._refresh(self._known.request(args, kwargs))
        return result

    async def peek(self, *args: P.args, **kwargs: P.kwargs) -> R | None:
        """The result if a fresh one is kept, else None; which may be the result as well. Computes nothing."""
        result: R | None = await self._cache._peek(self._known.request(args, kwargs), None)
        return result

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Make the result for these arguments stale, in all processes."""
        await self._cache._invalidate((result_tag(self._known.key(args, kwargs)),))

    async def clear(self) -> None:
        """Make all results of this function stale, in all processes."""
        await self._cache._invalidate((self._known.tag,))

    def __repr__(self) -> str:
        return f"<cached: {self._known.name}>"
