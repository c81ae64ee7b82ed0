"""One computation: under a lock that is kept, what it reads noted, its result stored only if nothing changed meanwhile.

take the stamps of what it depended on last time | keep the lock alive
compute, noting what is read
are all stamps as they were? --no--> the result is returned, not stored (P3)
    | yes
store it; give the lock back
"""

import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from ...shared.connection import Unavailable
from ...shared.errors import Unstorable
from ..capture.capture import Capture, open_capture
from ..capture.nesting import adopt, depend_through
from ..steps import Compute, Sleep, Spawn, Steps
from .flights import ComputeFlight, Outcome
from .request import ComputeRequest, Engine, decoded
from .store import FoundResult
from .stored_result import StoredResult

MAX_UNSTORABLE_KEYS: Final = 10_000


def compute(
    engine: Engine,
    request: ComputeRequest,
    flight: ComputeFlight | None,
    old: FoundResult | None,
    token: bytes | None,
    *,
    is_reachable: bool = True,
    is_in_background: bool = False,
) -> Steps[Any]:
    """Compute, and store what comes of it if nothing changed meanwhile.

    old: what was found before. token: of the lock that is held. is_reachable: False where Redis has just failed, so
    that a computation waits for it once, not at each step. is_in_background: the caller goes on meanwhile.
    """
    counters, options = request.counters, request.options
    outer = open_capture()
    keys = (outer.keys if outer is not None else frozenset()) | {request.key}
    capture = Capture(
        engine.keyspace,
        engine.connection,
        engine.known_stamps,
        engine.wall_clock,
        keys,
        ttl=options.ttl,
        notes=options.capture,
    )
    lease = Lease()
    try:
        if is_reachable:
            yield from _prepare(engine, request, capture, old, token, lease)
        else:
            capture.stop_asking()
        began, computed_at, true_at = engine.clock(), engine.wall_clock(), engine.flights.number()
        counters.add("computations")
        try:
            value = yield Compute(request.compute, capture)
        except Exception:
            counters.add("compute_errors")
            result = _rather_old(engine, request, old)
            if old is None or result is None:
                raise
            if flight is not None:
                engine.flights.land(request.key, flight, Outcome(old.entry, engine.flights.number(), is_clean=False))
            return result[0]
        finally:
            capture.close()
            seconds = engine.clock() - began
            counters.add("compute_seconds", seconds)
        if is_in_background and not request.is_as_asked():
            capture.is_complete = False  # he changed what it was computed from
        yield from _store(engine, request, flight, capture, value, computed_at, seconds, true_at)
        return value
    finally:
        if outer is not None:
            depend_through(outer, capture)
        lease.end()
        if token is not None:
            yield from unlocked(engine, request, token)


def _prepare(
    engine: Engine,
    request: ComputeRequest,
    capture: Capture,
    old: FoundResult | None,
    token: bytes | None,
    lease: "Lease",
) -> Steps[None]:
    """Take the stamps of what it will depend on, as far as that is known, and see that the lock is kept."""
    # A result depends on about the same as the one before.
    expected = old.entry.tags if old is not None else engine.store.hint(request.key)
    try:
        yield from engine.store.take(capture, (*request.tags, *expected))
        capture.depend(request.tags)
    except (Unavailable, ValueError):
        capture.stop_asking()
        return
    if token is not None:
        alive = weakref.ref(lease)
        lease.stop = yield Spawn(lambda: _keep_locked(engine, request, token, alive), lambda: None)


def _store(
    engine: Engine,
    request: ComputeRequest,
    flight: ComputeFlight | None,
    capture: Capture,
    value: Any,
    computed_at: float,
    seconds: float,
    true_at: int,
) -> Steps[None]:
    counters, options = request.counters, request.options
    try:
        payload = request.codec.encode(value)
    except Unstorable as error:
        _refuse(engine, request, error)
        return
    expires_at = min(computed_at + options.ttl * (1 - options.jitter * engine.random()), capture.ends_at)
    computed_at = min(computed_at, capture.oldest)
    if capture.settled_at > computed_at:
        # A replica may have answered that had not heard of the last change. DynamoDB itself would be that old for as
        # long, but not for longer.
        expires_at = min(expires_at, capture.settled_at)
    tags, stamps = tuple(capture.stamp_of), tuple(capture.stamp_of.values())
    entry = StoredResult(payload, computed_at, expires_at, capture.settled_at, seconds, tags, stamps)
    since = engine.near.now()
    looked_at = engine.flights.number()
    is_clean = False
    try:
        is_clean = capture.is_complete and (yield from engine.store.are_current(capture))
        lives_for = expires_at + options.grace - engine.wall_clock()
        if not is_clean or lives_for <= 0:
            counters.add("discarded")
            if not capture.is_complete and capture.is_asking:
                _mark_unstorable(engine, request)
        else:
            size = yield from engine.store.save(request.key, entry, lives_for)
            counters.add("stored")
            engine.unstorable_keys.pop(request.key, None)
            counters.add("bytes_written", size)
            engine.near.put(request.key, entry, since)
    except Unstorable as error:
        _refuse(engine, request, error)
    except Unavailable:
        is_clean = False
    finally:
        if flight is not None:
            engine.flights.land(request.key, flight, Outcome(entry, looked_at if is_clean else true_at, is_clean))


def _refuse(engine: Engine, request: ComputeRequest, error: Unstorable) -> None:
    request.counters.add("unstorable")
    _mark_unstorable(engine, request)
    engine.complain(request.name, error)


def _mark_unstorable(engine: Engine, request: ComputeRequest) -> None:
    """Let nobody wait for the next computation of this result, for he would get nothing of it."""
    if len(engine.unstorable_keys) >= MAX_UNSTORABLE_KEYS:
        engine.unstorable_keys.clear()
    engine.unstorable_keys[request.key] = None


def _rather_old(engine: Engine, request: ComputeRequest, old: FoundResult | None) -> tuple[Any] | None:
    """The old result in place of an error, if the application wants that."""
    limit = request.options.stale_if_error
    if old is None or not limit or engine.wall_clock() - old.entry.expires_at >= limit:
        return None
    result = decoded(request, old.entry)
    if result is not None:
        request.counters.add("stale_on_error")
        adopt(engine.keyspace, old.entry, is_clean=False)
    return result


class Lease:
    """How long a lock is renewed: until the end of the computation, or until nobody has this any more. An exception of
    a signal handler's may come at any moment, also before the renewing could be told to end."""

    def __init__(self) -> None:
        self.is_over = False
        self.stop: Callable[[], None] = lambda: None

    def end(self) -> None:
        self.is_over = True
        self.stop()


def _keep_locked(
    engine: Engine, request: ComputeRequest, token: bytes, alive: Callable[[], Lease | None]
) -> Steps[None]:
    """Renew the lock for as long as the computation takes."""
    seconds = request.options.lock_ttl
    while True:
        yield Sleep(seconds / 3)
        lease = alive()
        if lease is None or lease.is_over:
            return
        del lease  # to hold it here would be to keep it alive
        try:
            if not (yield from engine.store.renew(request.key, token, seconds)):
                return
        except Unavailable:
            pass  # it may last until the next time


def unlocked(engine: Engine, request: ComputeRequest, token: bytes) -> Steps[None]:
    with suppress(Unavailable):  # it ends by itself
        yield from engine.store.unlock(request.key, token)


def refresh_in_background(engine: Engine, request: ComputeRequest) -> Steps[None]:
    """Begin to compute the next result, if nobody does already."""
    if request.key in engine.refreshing:
        return
    engine.refreshing.add(request.key)
    token = os.urandom(12)
    is_begun = False
    try:
        if (yield from engine.store.lock(request.key, token, request.options.lock_ttl)):
            request.counters.add("early_refreshes")
            yield Spawn(lambda: _background(engine, request, token), lambda: engine.refreshing.discard(request.key))
            is_begun = True
    except Unavailable:
        pass  # the result is there; the next caller may have more luck
    finally:
        if not is_begun:
            engine.refreshing.discard(request.key)


def _background(engine: Engine, request: ComputeRequest, token: bytes) -> Steps[None]:
    if request.is_as_asked():
        yield from compute(engine, request, None, None, token, is_in_background=True)
    else:
        yield from unlocked(engine, request, token)
