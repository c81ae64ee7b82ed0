"""What the aggregation caches for threads and for asyncio have in common."""

import logging
import os
import weakref
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from msgspec import UNSET

from ..cache.listeners import add_change_listener, remove_change_listener
from ..core.tags import Tag
from ..faults import Faults
from ..shared.breaker import Breaker
from ..shared.bus import Bus
from ..shared.connection import FAILURES, Connection
from ..shared.encryption import Encryptor
from ..shared.envelope import Envelope
from ..shared.keyspace import Keyspace
from ..shared.outbox import Outbox
from ..shared.tags import EVERYTHING, result_tag, shared_tags
from .capture.capture import KnownStamps
from .capture.threads import capture_in_threads
from .dependencies import Dependency, named_tags, tags_of
from .driver import Progress
from .engine.flights import ComputeFlights
from .engine.near import NearCache
from .engine.request import ComputeRequest, Engine
from .engine.store import Store
from .functions.function import DependsOn, Function, is_another, name_of
from .options import AggregationOptions
from .serialization.canonical import digest
from .serialization.codec import Codec
from .settings import AggregationConfig, OptionNames
from .stats import AggregationStats, FunctionCounters

_logger: Final = logging.getLogger("daxlite")

BY_KEY: Final = "get_or_compute"
"""Under this name it is counted what `get_or_compute` does."""


class Base:
    """Everything but the calls. As a ChangeListener it hears of the changes that wrapped clients make."""

    def __init__(
        self,
        connect: Callable[[], Any],
        server: object,
        namespace: str,
        config: AggregationConfig | None,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        random: Callable[[], float],
        me: Callable[[], object],
    ) -> None:
        self.config: Final = config if config is not None else AggregationConfig()
        self.namespace: Final = namespace
        self._defaults = AggregationOptions(ttl=self.config.ttl)
        keyspace = self._keyspace = Keyspace(namespace, server)
        encryptor = Encryptor(self.config.encryption_keys) if self.config.encryption_keys else None
        envelope = Envelope(self.config.compress_above, self.config.max_value_bytes, encryptor)
        self._connection = Connection(connect(), Breaker(clock), connect if isinstance(server, str) else None)
        self._bus = Bus(self._connection, keyspace.channel, clock, wall_clock)
        self._near = NearCache(self.config.near_bytes, self._bus, clock)
        self._faults = Faults()
        self._bus.fault = self._faults.note
        self._outbox = Outbox(keyspace, self._bump, self._bus, self._connection, wall_clock, self._faults)
        self._flights = ComputeFlights()
        self._engine = Engine(
            store=Store(keyspace, envelope, self._near, self._outbox),
            near=self._near,
            flights=self._flights,
            keyspace=keyspace,
            connection=self._connection,
            known_stamps=KnownStamps(),
            clock=clock,
            wall_clock=wall_clock,
            random=random,
            complain=self._complain,
            me=me,
        )
        self._counters: dict[str, FunctionCounters] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        self._complaints: set[str] = set()
        capture_in_threads()
        add_change_listener(self)
        _all.add(self)
        # The threads do not keep this alive; when it is gone, or the program ends, they end.
        weakref.finalize(self, _stop, self._bus, self._outbox)

    # For the application

    def stats(self) -> AggregationStats:
        """A snapshot of all counts of this process."""
        near_entries, near_bytes = self._near.size()
        return AggregationStats(
            functions={name: counters.snapshot() for name, counters in list(self._counters.items())},
            redis_errors=self._connection.breaker.errors,
            skipped=self._connection.breaker.skipped,
            is_available=not self._connection.breaker.is_open,
            is_listening=self._bus.is_heard,
            pending_invalidations=len(self._outbox),
            near_entries=near_entries,
            near_bytes=near_bytes,
            faults=self._faults.count,
        )

    # For daxlite

    def changed(self, tags: Collection[Tag] | None) -> None:
        """As ChangeListener.changed: what depends on these tags is stale, here and in other processes."""
        self._outbox.invalidate_now(shared_tags(tags))

    def _bump(self, tags: Collection[bytes]) -> None:
        """These tags changed: nobody in this process is to wait until the bus says so."""
        for one in list(_all):
            if one._keyspace.place == self._keyspace.place:
                one._near.bump(tags)

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
        """What is known of a function that is to be cached."""
        if name is not None and (not isinstance(name, str) or not name):
            raise TypeError(f"name is {name!r}; it must be a string that is not empty")
        if not callable(function):
            raise TypeError(f"{function!r} is no function")
        if key is not None and not callable(key):
            raise TypeError(f"key is {key!r}; it must be a function of the arguments, or None")
        name = name_of(function) if name is None else name
        self._register(name, function)
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
        """The request for a result that has a key of its own."""
        if not callable(compute):
            raise TypeError(f"compute is {compute!r}; it must be a function without arguments")
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

    def _look(self, key: Any, returns: Any) -> ComputeRequest:
        """The same to look at what there is."""

        def nothing() -> None:
            """Is never called."""

        return self._keyed(key, nothing, None, tags=(), depends_on=(), returns=returns, options={})

    def _digest(self, key: Any) -> bytes:
        return digest(BY_KEY, self.namespace, key)

    def _options(self, ttl: float | None, options: OptionNames) -> AggregationOptions:
        if ttl is None and not options:
            return self._defaults
        if ttl is not None and callable(ttl):
            raise TypeError("ttl is a function; write @aggregations.cached() with parentheses")
        return replace(self._defaults, ttl=self.config.ttl if ttl is None else ttl, **options)

    def _rescued(self, progress: Progress, error: BaseException) -> None:
        """Raise what is the application's; what is a fault of daxlite's own is counted, and ends here."""
        if error is progress.error or not isinstance(error, Exception):
            raise error
        if progress.error is not None and progress.results is None:
            self._faults.note(error)
            raise progress.error
        if self.config.on_error == "raise" and isinstance(error, FAILURES):
            raise error
        self._faults.note(error)

    def _counters_of(self, name: str) -> FunctionCounters:
        return self._counters.setdefault(name, FunctionCounters())

    def _complain(self, name: str, error: Exception) -> None:
        """Say, once for each function, why its results are not stored."""
        if name not in self._complaints:
            self._complaints.add(name)
            _logger.warning("the results of %s are not stored: %s", name, error)

    def _register(self, name: str, function: Callable[..., Any]) -> None:
        """See that no two functions stand under one name, as closures of one definition would, or lambdas."""
        known = self._functions.setdefault(name, function)
        if is_another(known, function):
            raise ValueError(
                f"two different functions are both called {name}: their results would be taken for each other's; "
                "give each a name= of its own"
            )
        self._functions[name] = function

    def _close(self) -> None:
        remove_change_listener(self)
        self._bus.close()
        self._outbox.close()
        self._near.clear()

    def _begin(self) -> None:
        """Begin anew in a child process: the threads of the parent are not there any more."""
        self._connection.begin()
        self._bus.begin()
        self._near.begin()
        self._flights.begin()
        self._outbox.begin()
        self._engine.refreshing.clear()
        for counters in list(self._counters.values()):
            counters.begin()


def _stop(bus: Bus, pending: Outbox) -> None:
    bus.stop()
    pending.stop()
    pending.try_again()


_PLAIN: Final = Codec()


def _codec_of(returns: Any) -> Codec:
    if returns is UNSET:
        return _PLAIN
    try:
        return _codec(returns)
    except TypeError:  # a type that cannot be hashed
        return Codec(returns)


@lru_cache(256)
def _codec(returns: Any) -> Codec:
    return Codec(returns)


_all: Final[weakref.WeakSet[Base]] = weakref.WeakSet()


def _begin_in_child() -> None:
    for one in list(_all):
        one._begin()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
