"""AsyncAggregationCache: results of computations in Redis, for asyncio."""

import asyncio
import functools
import inspect
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, Self, TypeVar, Unpack

from msgspec import UNSET

from ..cache.memory import SYSTEM_RANDOM
from ..cache.switch import SWITCH
from ..calls.bypass import bypass
from ..calls.hearing import async_hear
from ..core.steps import Steps
from ..drivers.asyncio import AsyncioDriver
from ..drivers.progress import Progress
from ..shared.errors import Unavailable
from ..shared.tags import EVERYTHING, everything_of, result_tag
from .base import Base
from .dependencies import Dependency, named_tags
from .engine.get_or_compute import get_or_compute, near_hit, peek, refresh
from .engine.request import ComputeRequest
from .functions.function import DependsOn, Function
from .functions.method import CachedMethod
from .homes.home import Home
from .homes.in_process import InProcess
from .homes.opening import async_home_in_redis
from .settings import AggregationConfig, OptionNames, config_of

if TYPE_CHECKING:  # it imports redis, which a cache of one process need not have
    from ..shared.clients import AsyncClient, Client

P = ParamSpec("P")
R = TypeVar("R")


class AsyncAggregationCache(Base):
    # twin: leave out
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

    # twin: put in
    # """Results that are computed from DynamoDB, or from anything else, kept in Redis or Valkey for all processes.
    #
    # What a computation reads through clients wrapped by daxlite becomes a dependency of its result; a write through a
    # wrapped client, in any process that has an aggregation cache of the same namespace, makes the result stale at
    # once.
    #
    # >>> import fakeredis
    # >>> aggregations = AggregationCache(fakeredis.FakeRedis(), namespace="shop")
    # >>> @aggregations.cached(ttl=300)
    # ... def total(prices: list[int]) -> int:
    # ...     print("computing")
    # ...     return sum(prices)
    # >>> total([1, 2])
    # computing
    # 3
    # >>> total(prices=[1, 2])
    # 3
    # >>> aggregations.close()
    # """
    # twin: end

    def __init__(
        self,
        server: "str | AsyncClient",
        namespace: str,
        config: AggregationConfig | None = None,
        *,
        # twin: leave out
        sync_client: "Client | None" = None,
        # twin: end
        on_error: Any = UNSET,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] = SYSTEM_RANDOM,
    ) -> None:
        # twin: leave out
        """server: a URL or a client of redis.asyncio. sync_client: with such a client, a client for threads of the same
        server or cluster. boto3 clients do not use asyncio, so what they read and write is noted through it, and the
        thread listens. The rest is as for AggregationCache.
        """
        # twin: put in
        # """Several caches may share a server and a namespace. No connection is made yet.
        #
        # server: a URL (redis://, rediss://, unix://, with user and password where there are any), or a client:
        # redis.Redis, also one of a Sentinel's (`sentinel.master_for(...)`), or redis.RedisCluster. A client keeps
        # its own timeouts, and must not decode responses. Redis 7 or newer, or Valkey.
        # namespace: letters, digits, dots, dashes, underscores; all keys begin with it.
        # config: the settings; AggregationConfig() unless given. on_error: one of them, in short.
        # clock: seconds, never going back. wall_clock: seconds since the epoch. random: numbers from 0 to 1.
        #
        # Raises TypeError or ValueError for a setting that is not allowed.
        # """
        # twin: end
        config = config_of(config, on_error)
        home = async_home_in_redis(server, namespace, config, clock, wall_clock, sync_client)
        self._begin_at(home, config, clock, wall_clock, random)

    @classmethod
    def local(
        cls,
        namespace: str = "local",
        config: AggregationConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] = SYSTEM_RANDOM,
    ) -> Self:
        # twin: leave out
        """As AggregationCache.local, for functions that are coroutines.

        >>> async def main() -> None:
        ...     aggregations = AsyncAggregationCache.local()
        ...     async def total() -> int:
        ...         return sum([1, 2])
        ...     print(await aggregations.get_or_compute("total", total), await aggregations.peek("total"))
        >>> asyncio.run(main())
        3 3
        """
        # twin: put in
        # """The same without Redis, for a program of one process: results stand in its memory, at most `near_bytes` of
        # them, and the writes of this process make them stale. Neither Redis nor the `redis` package is needed.
        #
        # The rest is as for a cache in Redis; what concerns the server, as `timeout`, `on_error`, `compress_above` and
        # `encryption_keys` do, has no effect. Two such caches have nothing in common, even with one namespace.
        #
        # >>> aggregations = AggregationCache.local()
        # >>> aggregations.get_or_compute("total", lambda: sum([1, 2])), aggregations.peek("total")
        # (3, 3)
        # """
        # twin: end
        made = cls.__new__(cls)
        config = config_of(config)
        made._begin_at(InProcess(namespace, config, clock), config, clock, wall_clock, random)
        return made

    def _begin_at(
        self,
        home: Home,
        config: AggregationConfig,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        super().__init__(home, config, clock, wall_clock, random, asyncio.current_task)
        self._driver = AsyncioDriver()

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
        """A decorator: the function's results are kept.

        ttl: seconds for which a result is fresh. tags: names for `invalidate_tags`. depends_on: dependencies in
        addition to those that are captured, made by `on_table`, `on_item` and `on_partition`, or tags; or a function
        that returns them for the arguments of a call. version: part of the key; change it when the function changes.
        name: the name in keys and statistics, instead of the function's module and qualified name. key: a function
        that returns the key for the arguments, such as `lambda self, day: day` for a method. returns: the type of the
        result, instead of the return annotation. options: other fields of AggregationOptions, such as
        stale_while_revalidate.

        Raises TypeError or ValueError for a setting that is not allowed.
        """
        checked = self._options(ttl, options)  # here, where they are written

        def decorate(function: Callable[P, Awaitable[R]]) -> AsyncCachedFunction[P, R]:
            # twin: leave out
            if not inspect.iscoroutinefunction(function):
                raise TypeError("this function is no coroutine function: AggregationCache takes it")
            # twin: put in
            # if inspect.iscoroutinefunction(function):
            #     raise TypeError("this function is a coroutine function: AsyncAggregationCache takes it")
            # twin: end
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
        """The result that stands under a key, or that of `compute`, which is then kept.

        key: any value of plain types, such as ("revenue", 2026). The rest is as in `cached`. Raises what
        `compute` does.
        """
        # twin: put in
        # if inspect.iscoroutinefunction(compute):
        #     raise TypeError("compute is a coroutine function: AsyncAggregationCache takes it")
        # twin: end
        request = self._keyed(key, compute, ttl, tags=tags, depends_on=depends_on, returns=returns, options=options)
        result: R = await self._get_or_compute(request)
        return result

    async def peek(self, key: Any, default: Any = None, *, returns: Any = UNSET) -> Any:
        """What `get_or_compute` keeps under a key, if it is fresh, else the default. Computes nothing."""
        return await self._peek(self._keyed_to_peek(key, returns), default)

    async def invalidate(self, key: Any) -> None:
        """Make stale what `get_or_compute` keeps under a key."""
        await self._invalidate((result_tag(self._digest(key)),))

    async def invalidate_tags(self, *names: str) -> None:
        """Make everything stale that has one of these tags, in all processes."""
        await self._invalidate(named_tags(names))

    async def clear(self) -> None:
        """Make everything in the namespace stale, in all processes. Takes one command, however much that is."""
        await self._invalidate((EVERYTHING,))

    async def close(self) -> None:
        """Stop listening, and close the connections that a URL made. Calls still work, but keep nothing here, and
        writes of this process make nothing stale any more."""
        # twin: leave out
        await self._driver.close()  # what is computed in the background
        # twin: end
        await asyncio.to_thread(self._close)
        await self._home.async_close()

    # For AsyncCachedFunction

    async def _get_or_compute(self, request: ComputeRequest) -> Any:
        if SWITCH.is_off:
            return await request.compute()
        progress = Progress()
        try:
            hit = near_hit(self._engine, request)
            if hit is not None:
                return hit[0]
            steps = get_or_compute(self._engine, request)
            return await self._driver.drive(steps, progress, surface=self._surface)
        except BaseException as error:  # noqa: BLE001 - sorted out there
            self._rescue(progress, error)
        return await self._compute_alone(request, progress)

    async def _refresh(self, request: ComputeRequest) -> Any:
        if SWITCH.is_off:
            await self._invalidate((result_tag(request.key),))  # the caller knows of something newer
            return await request.compute()
        progress = Progress()
        try:
            return await self._driver.drive(refresh(self._engine, request), progress, surface=self._surface)
        except BaseException as error:  # noqa: BLE001 - sorted out there
            self._rescue(progress, error)
        return await self._compute_alone(request, progress)

    async def _compute_alone(self, request: ComputeRequest, progress: Progress) -> Any:
        """The result of the function, where daxlite failed: as it is there already, or computed without a cache."""
        if progress.replies is not None:
            return progress.replies[0]
        capture = self._watch()  # for the threads that the function starts, which do not bypass
        try:
            with bypass():  # the caches of this process may be behind
                return await async_hear((capture,), request.compute)
        finally:
            capture.close()

    async def _peek(self, request: ComputeRequest, default: Any) -> Any:
        if SWITCH.is_off:
            return default
        return await self._drive(peek(self._engine, request, default), default)

    async def _invalidate(self, tags: tuple[bytes, ...]) -> None:
        await self._drive(self._outbox.invalidate(everything_of(tags)), None)

    async def _drive(self, steps: Steps[R], otherwise: R) -> R:
        """What the steps end with, or, where daxlite failed, something else."""
        try:
            return await self._driver.drive(steps, surface=self._surface)
        except Unavailable:
            return otherwise
        except BaseException as error:  # noqa: BLE001 - sorted out there
            self._rescue(Progress(), error)
        return otherwise


class AsyncCachedFunction(Generic[P, R]):
    """A coroutine function whose results are kept. Called like the function itself."""

    is_known_by_name: Final = True
    """Whether nothing in this object decides the result, beside the function."""

    def __init__(self, cache: AsyncAggregationCache, function: Callable[P, Awaitable[R]], known: Function) -> None:
        functools.update_wrapper(self, function, updated=())  # its __dict__ could hide attributes of ours
        # twin: leave out
        if sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(self)
        # twin: end
        self._cache = cache
        self._known = known
        self._qualified_name = str(getattr(function, "__qualname__", known.name))

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = await self._cache._get_or_compute(self._known.request(args, kwargs))
        return result

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if isinstance(instance, type):
            return MethodType(self, instance)  # as classmethod does it from Python 3.13 on
        return self if instance is None else CachedMethod(self, instance)

    def __reduce__(self) -> str:
        return self._qualified_name  # pickled by its name, as a function is: for a pool of processes

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result now, and keep it, whether or not a result is kept already."""
        result: R = await self._cache._refresh(self._known.request(args, kwargs))
        return result

    async def peek(self, *args: P.args, **kwargs: P.kwargs) -> R | None:
        """The result if a fresh one is kept, else None, which may also be the result. Computes nothing."""
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
