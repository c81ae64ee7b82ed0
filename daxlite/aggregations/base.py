"""What the aggregation caches for threads and for asyncio have in common."""

import atexit
import logging
import math
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final

from msgspec import UNSET

from ..cache.indexes import hash_of
from ..cache.memory import NUMBERS, SECONDS
from ..calls.listeners import add_change_listener, remove_change_listener
from ..core.checks import check_function, is_name, kind_of, shown
from ..core.extents import Extent
from ..core.steps import Steps, Told
from ..core.tags import Tag
from ..core.uncopied import Uncopied
from ..drivers.progress import Progress
from ..shared.errors import Unavailable
from ..shared.outbox import Outbox
from ..shared.signal_handlers import raised_by_a_signal_handler
from ..shared.tags import EVERYTHING, result_tag, shared_tags
from .capture.capture import Capture
from .capture.threads import capture_in_threads
from .dependencies import Dependency, named_tags, tags_of
from .engine.engine import Engine
from .engine.flights import ComputeFlights
from .engine.request import ComputeRequest
from .engine.store import Store
from .functions.function import DependsOn, Function, check_type, may_differ, name_of
from .homes.home import Home
from .options import AggregationOptions
from .serialization.canonical import digest
from .serialization.codec import Codec
from .settings import AggregationConfig, OptionNames
from .stats import AggregationStats, FunctionCounters

_logger: Final = logging.getLogger("daxlite")

BY_KEY: Final = "get_or_compute"
"""The name under which the calls of `get_or_compute` are counted."""


class Base(Uncopied):
    """Everything but the calls. As a ChangeListener it hears of the changes that wrapped clients make."""

    def __init__(
        self,
        home: Home,
        config: AggregationConfig,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        random: Callable[[], float],
        current_caller: Callable[[], object],
    ) -> None:
        check_function("clock", clock, SECONDS)
        check_function("wall_clock", wall_clock, SECONDS)
        check_function("random", random, NUMBERS)
        self._config: Final = config
        self._defaults = AggregationOptions(ttl=self.config.ttl)
        self._home = home
        keyspace, server = home.keyspace, home.server
        self._keyspace = keyspace
        self._near = home.near
        self._faults = home.faults
        self._outbox = home.outbox
        self._flights = ComputeFlights()
        self._engine = Engine(
            store=Store(keyspace, server, home.envelope, self._near, self._outbox),
            near=self._near,
            flights=self._flights,
            keyspace=keyspace,
            server=server,
            known_tokens=home.known_tokens,
            clock=clock,
            wall_clock=wall_clock,
            random=random,
            report_unstorable=partial(_report_unstorable, set()),
            max_background=self.config.max_background,
            current_caller=current_caller,
        )
        self._surface = home.surface
        self._counters: dict[str, FunctionCounters] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        if self.config.capture_threads:
            capture_in_threads()
        add_change_listener(self)
        _caches.add(self)
        # The threads do not keep this alive, and nothing in it refers to it, so it goes with the last reference even
        # where the garbage collector is off; then they end. `_end` sees to the end of the program.
        weakref.finalize(self, _stop, home, self._outbox).atexit = False

    # For the application

    @property
    def config(self) -> AggregationConfig:
        """The settings. They hold for the whole life of the cache."""
        return self._config

    @property
    def namespace(self) -> str:
        """What all keys begin with."""
        return self._keyspace.namespace

    def stats(self) -> AggregationStats:
        """A snapshot of all counts of this process."""
        near_entries, near_bytes = self._near.size()
        home = self._home
        return AggregationStats(
            functions={name: counters.snapshot() for name, counters in list(self._counters.items())},
            redis_errors=home.errors,
            skipped=home.skipped,
            is_available=home.is_available,
            is_listening=home.is_listening,
            pending_invalidations=len(self._outbox),
            near_entries=near_entries,
            near_bytes=near_bytes,
            faults=self._faults.count,
        )

    # For daxlite

    @property
    def where(self) -> object:
        """As ChangeListener.where: the server and the namespace."""
        return self._keyspace.identity

    def changed(self, tags: Mapping[Tag, Extent] | None, told: Told | None = None) -> Steps[None]:
        """As ChangeListener.changed: what depends on these extents is stale, here and in other processes."""
        changed = shared_tags(tags, hash_of)
        if told is not None and told.where == self._keyspace.identity:
            # Redis knows it. Once more would make what the write has just stored there stale.
            self._home.bump(changed)
            changed = {tag: extent for tag, extent in changed.items() if not _covers(told.changed.get(tag), extent)}
            if not changed:
                return
        with suppress(Unavailable):  # what Redis cannot be told now it is told later
            yield from self._outbox.invalidate(changed)

    def deliver(self) -> Steps[None]:
        """As Delivers.deliver: tell Redis what it has not been told of changes."""
        if self._outbox:
            yield from self._outbox.flush(is_urgent=True, chunks=math.inf)

    def _function(
        self,
        function: Callable[..., Any],
        options: AggregationOptions,
        *,
        name: str | None,
        version: str | int | None,
        key: Callable[..., Any] | None,
        returns: Any,
        tags: Iterable[str],
        depends_on: DependsOn,
    ) -> Function:
        """A function that is to be cached. Raises TypeError or ValueError for a setting that is not allowed."""
        if name is not None and not is_name(name):
            raise TypeError(f"name is {shown(name)}; it must be a string that is not empty")
        if isinstance(function, classmethod | staticmethod | property):
            kind = type(function).__name__
            raise TypeError(f"this is a {kind}, no function; write @{kind} above @aggregations.cached()")
        if not callable(function):
            raise TypeError(f"{kind_of(function)} is no function, which it must be")
        if key is not None and not isinstance(key, type):
            check_function("key", key, "of the arguments, or None")
        name = name_of(function) if name is None else name
        self._register(name, function, has_key=key is not None)
        return Function(
            self.namespace,
            function,
            self._counters_of(name),
            options,
            name=name,
            version=version,
            key=key,
            returns=returns,
            tags=named_tags(tags),
            depends_on=depends_on,
        )

    def _keyed(
        self,
        key: Any,
        compute: Callable[[], Any],
        ttl: float | None,
        *,
        tags: Iterable[str],
        depends_on: Iterable[Dependency | str],
        returns: Any,
        options: OptionNames,
    ) -> ComputeRequest:
        """The request for a result that has a key of its own. Raises as `_function`."""
        if not callable(compute):
            # It may be the result itself, so it is not repeated.
            raise TypeError(f"compute is {kind_of(compute)}; it must be a function without arguments")
        digested = self._digest(key)
        return ComputeRequest(
            key=digested,
            name=BY_KEY,
            options=self._options(ttl, options),
            codec=_codec_of(returns),
            counters=self._counters_of(BY_KEY),
            tags=tuple(dict.fromkeys((EVERYTHING, result_tag(digested), *named_tags(tags), *tags_of(depends_on)))),
            compute=compute,
        )

    def _keyed_to_peek(self, key: Any, returns: Any) -> ComputeRequest:
        """The same to look up the result alone."""

        def never_called() -> None:
            """The function of a request that computes nothing."""

        return self._keyed(key, never_called, None, tags=(), depends_on=(), returns=returns, options={})

    def _digest(self, key: Any) -> bytes:
        return digest(BY_KEY, self.namespace, key)

    def _options(self, ttl: float | None, options: OptionNames) -> AggregationOptions:
        if ttl is None and not options:
            return self._defaults
        if ttl is not None and callable(ttl):
            raise TypeError("ttl is a function; write @aggregations.cached() with parentheses")
        return replace(self._defaults, ttl=self.config.ttl if ttl is None else ttl, **options)

    def _watch(self) -> Capture:
        """A listener under which no cache of this process answers, and which does not ask Redis."""
        engine = self._engine
        capture = Capture(engine.keyspace, engine.server, engine.known_tokens, engine.wall_clock, is_recording=False)
        capture.lose_redis()
        return capture

    def _rescue(self, progress: Progress, error: BaseException) -> None:
        """Raise an error that is the application's; count one that is a fault of daxlite's own, and return."""
        if error is progress.error or not isinstance(error, Exception) or raised_by_a_signal_handler(error) is error:
            raise error
        if progress.error is not None and progress.replies is None:
            self._faults.note(error)
            raise progress.error
        if self.config.on_error == "raise" and self._home.is_failure(error):
            raise error
        self._faults.note(error)

    def _counters_of(self, name: str) -> FunctionCounters:
        return self._counters.setdefault(name, FunctionCounters())

    def _register(self, name: str, function: Callable[..., Any], *, has_key: bool) -> None:
        """Note a function under its name. Raises ValueError if a different one has that name, as closures of one
        definition have, lambdas, or the methods of two objects that cannot be part of a key."""
        known = self._functions.setdefault(name, function)
        if may_differ(known, function, has_key=has_key):
            raise ValueError(
                f"two different functions are both called {name}: their results would be taken for each other's; "
                "give each a name= of its own"
            )
        self._functions[name] = function

    def _close(self) -> None:
        remove_change_listener(self)
        self._home.leave()
        self._outbox.close()
        self._near.clear()

    def _start_over(self) -> None:
        """Forget what this process keeps, and count from zero. What Redis keeps stays."""
        self._home.start_over()
        for counters in list(self._counters.values()):
            counters.start_over()

    def _begin(self) -> None:
        """Begin anew in a child process: the threads of the parent are not there any more."""
        self._home.begin()
        self._flights.begin()
        self._outbox.begin()
        self._engine.refreshing.clear()
        for counters in list(self._counters.values()):
            counters.begin()


def _covers(told: Extent | None, extent: Extent) -> bool:
    return told is not None and told.hull(extent) == told


def _report_unstorable(reported: set[str], name: str, error: Exception) -> None:
    """Log, once for each function, why its results are not stored. reported: the names of those that were."""
    if name not in reported:
        reported.add(name)
        _logger.warning("the results of %s are not stored: %s", name, error)


def _stop(home: Home, outbox: Outbox) -> None:
    """Let the threads end. The garbage collector may call it at any moment, so nothing here takes a lock."""
    home.stop()
    outbox.stop()


_PLAIN: Final = Codec()


def _codec_of(returns: Any) -> Codec:
    if returns is UNSET:
        return _PLAIN
    try:
        hash(returns)
    except TypeError:
        return _codec.__wrapped__(returns)
    return _codec(returns)


@lru_cache(256)
def _codec(returns: Any) -> Codec:
    check_type(returns)
    return Codec(returns)


_caches: Final[weakref.WeakSet[Base]] = weakref.WeakSet()


def start_over() -> None:
    """Let every aggregation cache of this process forget what it keeps here, and count from zero."""
    for cache in list(_caches):
        cache._start_over()


def _begin_in_child() -> None:
    for cache in list(_caches):
        cache._begin()


@atexit.register
def _end() -> None:
    """The program ends: send what is pending, if Redis takes it."""
    for cache in list(_caches):
        _stop(cache._home, cache._outbox)
        cache._outbox.try_again()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
