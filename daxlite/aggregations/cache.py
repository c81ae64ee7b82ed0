"""AggregationCache: results of computations in Redis, for threads."""

import functools
import inspect
import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, Unpack

from msgspec import UNSET

from ..calls.bypass import bypass
from ..shared.clients import Client, client_of
from ..shared.connection import Unavailable
from ..shared.tags import EVERYTHING, result_tag
from .base import Base
from .dependencies import Dependency, named_tags
from .driver import Driver, Progress
from .engine.get_or_compute import get_or_compute, near_hit, peek, refresh
from .engine.request import ComputeRequest
from .functions.function import DependsOn, Function
from .functions.method import CachedMethod
from .settings import AggregationConfig, OptionNames

P = ParamSpec("P")
R = TypeVar("R")


class AggregationCache(Base):
    """Results that are computed from DynamoDB, or from anything else, kept in Redis or Valkey for all processes.

    What a computation reads through clients wrapped by daxlite becomes a dependency of its result; a write through a
    wrapped client, in any process that has an aggregation cache of the same namespace, makes the result stale at once.

    >>> import fakeredis
    >>> aggregations = AggregationCache(fakeredis.FakeRedis(), namespace="shop")
    >>> @aggregations.cached(ttl=300)
    ... def total(prices: list[int]) -> int:
    ...     print("computing")
    ...     return sum(prices)
    >>> total([1, 2])
    computing
    3
    >>> total(prices=[1, 2])
    3
    >>> aggregations.close()
    """

    def __init__(
        self,
        server: str | Client,
        namespace: str,
        config: AggregationConfig | None = None,
        *,
        on_error: Any = UNSET,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        """Make one; several may share a server and a namespace.

        server: a URL (redis://, rediss://, unix://, with user and password where there are any), or a client:
        redis.Redis, also one of a Sentinel's (`sentinel.master_for(...)`), or redis.RedisCluster. A client keeps
        its own timeouts and retries, and must not decode responses. Redis 7 or newer, or Valkey.
        namespace: letters, digits, dots, dashes, underscores; all keys begin with it.
        config: the settings; AggregationConfig() unless given. on_error: one of them, in short.
        clock: seconds, never going back. wall_clock: seconds since the epoch. random: numbers from 0 to 1.

        Raises TypeError or ValueError for what is none of these. No connection is made yet.
        """
        config = with_on_error(config, on_error)
        timeout = timeout_of(config)
        self._owns_client = isinstance(server, str)
        super().__init__(
            lambda: client_of(server, timeout),
            server,
            namespace,
            config,
            clock,
            wall_clock,
            random,
            threading.get_ident,
        )
        self._driver = Driver(self._connection, raises=self.config.on_error == "raise")

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
    ) -> Callable[[Callable[P, R]], "CachedFunction[P, R]"]:
        """A decorator: the function's results are kept.

        ttl: seconds for which a result is fresh. tags: names for `invalidate_tags`. depends_on: what the result
        depends on beside what is captured, made by `on_table`, `on_item`, `on_partition`, or tags; or a function that
        tells it from the arguments. version: another one makes other results; change it with the function.
        name: under which the results stand, instead of the function's module and name. key: what stands for the
        arguments, `lambda self, day: day` for a method say. returns: the type of the result, instead of the return
        annotation. options: the other fields of AggregationOptions, such as stale_while_revalidate.

        Raises TypeError or ValueError for a setting that is not allowed.
        """
        checked = self._options(ttl, options)  # here, where they are written

        def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
            if inspect.iscoroutinefunction(function):
                raise TypeError("this function is a coroutine function: AsyncAggregationCache takes it")
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
            return CachedFunction(self, function, known)

        return decorate

    def get_or_compute(
        self,
        key: Any,
        compute: Callable[[], R],
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
        if inspect.iscoroutinefunction(compute):
            raise TypeError("compute is a coroutine function: AsyncAggregationCache takes it")
        result: R = self._answer(
            self._keyed(key, compute, ttl, tags=tags, depends_on=depends_on, returns=returns, options=options)
        )
        return result

    def invalidate_tags(self, *names: str) -> None:
        """Make everything stale that has one of these tags, in all processes."""
        self._invalidate(named_tags(names))

    def peek(self, key: Any, default: Any = None, *, returns: Any = UNSET) -> Any:
        """What `get_or_compute` keeps under a key, if it is fresh, else the default. Computes nothing."""
        return self._peek(self._look(key, returns), default)

    def invalidate(self, key: Any) -> None:
        """Make stale what `get_or_compute` keeps under a key."""
        self._invalidate((result_tag(self._digest(key)),))

    def clear(self) -> None:
        """Make everything in the namespace stale, in all processes. Takes one command, however much that is."""
        self._invalidate((EVERYTHING,))

    def close(self) -> None:
        """Stop listening, and close the connections that a URL made. Calls still work, but keep nothing
        here, and writes of this process make nothing stale any more."""
        self._close()
        if self._owns_client:
            self._connection.client.close()

    # For CachedFunction

    def _answer(self, request: ComputeRequest) -> Any:
        progress = Progress()
        try:
            hit = near_hit(self._engine, request)
            return hit[0] if hit is not None else self._driver.drive(get_or_compute(self._engine, request), progress)
        except BaseException as error:  # noqa: BLE001 - sorted out there
            self._rescued(progress, error)
        return self._plainly(request, progress)

    def _refresh(self, request: ComputeRequest) -> Any:
        progress = Progress()
        try:
            return self._driver.drive(refresh(self._engine, request), progress)
        except BaseException as error:  # noqa: BLE001 - sorted out there
            self._rescued(progress, error)
        return self._plainly(request, progress)

    def _plainly(self, request: ComputeRequest, progress: Progress) -> Any:
        if progress.results is not None:
            return progress.results[0]
        with bypass():  # nobody has seen to it that the caches of this process are not behind
            return request.compute()

    def _peek(self, request: ComputeRequest, default: Any) -> Any:
        try:
            return self._driver.drive(peek(self._engine, request, default))
        except BaseException as error:  # noqa: BLE001 - sorted out there
            if not isinstance(error, Unavailable):
                self._rescued(Progress(), error)
        return default

    def _invalidate(self, tags: tuple[bytes, ...]) -> None:
        try:
            self._driver.drive(self._outbox.invalidate(tags))
        except BaseException as error:  # noqa: BLE001 - sorted out there
            self._outbox.retry()
            if not isinstance(error, Unavailable):
                self._rescued(Progress(), error)


class CachedFunction(Generic[P, R]):
    """A function whose results are kept. Called like the function itself."""

    def __init__(self, cache: AggregationCache, function: Callable[P, R], known: Function) -> None:
        functools.update_wrapper(self, function, updated=())  # an attribute of its own must not hide one of ours
        self._cache = cache
        self._known = known
        self._qualified_name = str(getattr(function, "__qualname__", known.name))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = self._cache._answer(self._known.request(args, kwargs))
        return result

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else CachedMethod(self, instance)

    def __reduce__(self) -> str:
        return self._qualified_name  # as a function is pickled: by its name, for a pool of processes

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result now, and keep it; whatever is kept already."""
        result: R = self._cache._refresh(self._known.request(args, kwargs))
        return result

    def peek(self, *args: P.args, **kwargs: P.kwargs) -> R | None:
        """The result if a fresh one is kept, else None; which may be the result as well. Computes nothing."""
        result: R | None = self._cache._peek(self._known.request(args, kwargs), None)
        return result

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Make the result for these arguments stale, in all processes."""
        self._cache._invalidate((result_tag(self._known.key(args, kwargs)),))

    def clear(self) -> None:
        """Make all results of this function stale, in all processes."""
        self._cache._invalidate((self._known.tag,))

    def __repr__(self) -> str:
        return f"<cached: {self._known.name}>"


def timeout_of(config: AggregationConfig | None) -> float:
    """The timeout in the settings. Raises TypeError for what are none."""
    if config is not None and not isinstance(config, AggregationConfig):
        raise TypeError(f"config is {config!r}; it must be a daxlite.aggregations.AggregationConfig")
    return (AggregationConfig() if config is None else config).timeout


def with_on_error(config: AggregationConfig | None, on_error: Any) -> AggregationConfig | None:
    """The settings, with `on_error` if it is given by itself."""
    if on_error is UNSET:
        return config
    if config is not None:
        raise TypeError("give either on_error or a config, which has its own")
    return AggregationConfig(on_error=on_error)
