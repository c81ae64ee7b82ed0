"""One computation: under a lock that is renewed, its reads noted, its result stored only if nothing changed meanwhile.

note the states of what the last result depended on | start to renew the lock
compute, noting what is read
did no change meet what was read? --no--> the result is returned, not stored (P3)
    | yes
store it; release the lock
"""

import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from msgspec.structs import replace

from ...core.extents import hulls
from ...core.steps import Compute, Sleep, Spawn, Steps
from ...shared.errors import CorruptValue, Unavailable, Unstorable
from ...shared.scripts import MARGIN, MAX_COMPUTATION
from ...shared.tags import everything_of
from ..capture.capture import Capture, keys_under_way, open_captures
from ..capture.nesting import depend_on_computation, depend_on_result
from ..stored_result import StoredResult
from .engine import Engine
from .flights import ComputeFlight, Outcome
from .request import ComputeRequest
from .store import FoundResult

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
    """Compute, and store the result if nothing changed meanwhile.

    old: what was found before. token: of the lock that is held. is_reachable: False where Redis has just failed, so
    that a computation waits for it once, not at each step. is_in_background: no caller waits for the result.
    """
    counters, options = request.counters, request.options
    outers, keys = open_captures(), keys_under_way() | {request.key}
    capture = Capture(
        engine.keyspace,
        engine.server,
        engine.known_tokens,
        engine.wall_clock,
        keys,
        ttl=options.ttl,
        is_recording=options.capture,
        # With the lock, the life of the states is renewed.
        states_last=MAX_COMPUTATION if token is None else options.lock_ttl,
    )
    renewal = Renewal(capture)
    try:
        if is_reachable:
            yield from _prepare(engine, request, capture, old, token, renewal)
        else:
            capture.lose_redis()
        began, computed_at, true_at = engine.clock(), engine.wall_clock(), engine.flights.next_number()
        counters.add("computations")
        try:
            value = yield Compute(request.compute, capture)
        except Exception:
            counters.add("compute_errors")
            result = _stale_if_error(engine, request, old)
            if old is None or result is None:
                raise
            if flight is not None:
                outcome = Outcome(old.stored, engine.flights.next_number(), is_current=False)
                engine.flights.land(request.key, flight, outcome)
            return result[0]
        finally:
            capture.close()
            seconds = engine.clock() - began
            counters.add("compute_seconds", seconds)
        if is_in_background and not request.is_unchanged():
            capture.is_complete = False  # the caller, which has its answer, changed an argument
        yield from _store(engine, request, flight, capture, value, computed_at, seconds, true_at)
        return value
    except GeneratorExit:
        token = None  # no driver takes steps any more; the lock ends by itself
        raise
    finally:
        for outer in outers:
            depend_on_computation(outer, capture)
        renewal.end()
        if token is not None:
            yield from unlock(engine, request, token)


def _prepare(
    engine: Engine,
    request: ComputeRequest,
    capture: Capture,
    old: FoundResult | None,
    token: bytes | None,
    renewal: "Renewal",
) -> Steps[None]:
    """Note the states of what the result will depend on, as far as that is known, and start to renew the lock."""
    # A result depends on about the same as the one before.
    expected = old.stored.tags if old is not None else engine.store.expected_tags(request.key)
    try:
        yield from capture.note_states((*request.tags, *expected))
        capture.depend(everything_of(request.tags))
        if old is not None and not old.stored.has_tags(request.tags):
            # Another process asked with other tags: it knows a table in other regions, or runs another release. What
            # depends on the tags of both serves both; else each would replace the other's result forever.
            capture.depend(dict(zip(old.stored.tags, old.stored.extents, strict=True)))
    except (Unavailable, CorruptValue):
        capture.lose_redis()
        return
    if token is not None:
        weak = weakref.ref(renewal)
        renewal.stop = yield Spawn(lambda: _renew(engine, request, token, weak), lambda: None)


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
    """Store a result if it is true, and land the flight with it. true_at: a number drawn before it was computed."""
    counters, options = request.counters, request.options
    try:
        payload = request.codec.encode(value)
    except Unstorable as error:
        _report_unstorable(engine, request, error)
        return
    expires_at = min(computed_at + options.ttl * (1 - options.jitter * engine.random()), capture.expires_by)
    computed_at = min(computed_at, capture.oldest)
    # A replica may have answered that had not heard of the last change.
    expires_at = min(expires_at, capture.lags_until)
    parts = capture.parts if capture.is_complete else None
    read = hulls([{part.tag: part.extent} for part in parts or ()])
    tags, extents = tuple(read), tuple(read.values())
    stored = StoredResult(payload, computed_at, expires_at, capture.lags_until, seconds, tags, (), extents)
    since = engine.near.now()
    checked_at = engine.flights.next_number()
    is_current = False
    try:
        tops = None if parts is None else (yield from engine.store.tops(parts))
        is_current = tops is not None
        if tops is not None:
            stored = replace(stored, tokens=tuple(tops.values()))
        seconds_left = expires_at + options.grace - engine.wall_clock()
        if not is_current or seconds_left <= 0:
            counters.add("discarded")
            if parts is None and capture.has_redis:
                _mark_unstorable(engine, request)
        else:
            size = yield from engine.store.save(request.key, stored, seconds_left)
            counters.add("stored")
            engine.unstorable_keys.pop(request.key, None)
            counters.add("bytes_written", size)
            engine.near.put(request.key, stored, since)
    except Unstorable as error:
        _report_unstorable(engine, request, error)
    except Unavailable:
        is_current = False
    finally:
        if flight is not None:
            outcome = Outcome(stored, checked_at if is_current else true_at, is_current)
            engine.flights.land(request.key, flight, outcome)


def _report_unstorable(engine: Engine, request: ComputeRequest, error: Unstorable) -> None:
    request.counters.add("unstorable")
    _mark_unstorable(engine, request)
    engine.report_unstorable(request.name, error)


def _mark_unstorable(engine: Engine, request: ComputeRequest) -> None:
    """Let no caller wait for the next computation of this result, because it would get nothing from it."""
    if len(engine.unstorable_keys) >= MAX_UNSTORABLE_KEYS:
        engine.unstorable_keys.clear()
    engine.unstorable_keys[request.key] = None


def _stale_if_error(engine: Engine, request: ComputeRequest, old: FoundResult | None) -> tuple[Any] | None:
    """The old result in place of an error, if the application wants that."""
    limit = request.options.stale_if_error
    if old is None or not limit or engine.wall_clock() - old.stored.expires_at >= limit:
        return None
    result = request.decode(old.stored)
    if result is not None:
        request.counters.add("stale_on_error")
        depend_on_result(engine.keyspace, old.stored, is_current=False)
    return result


class Renewal:
    """Tells the steps in the background how long to renew a lock and the life of states: until the end of the
    computation, or until no frame refers to this any more. An exception of a signal handler may come at any moment,
    even before the renewal could be told to end."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.is_over = False
        self.stop: Callable[[], None] = lambda: None

    def end(self) -> None:
        """Renew the lock and the states no more."""
        self.is_over = True
        self.stop()


def _renew(engine: Engine, request: ComputeRequest, token: bytes, weak: Callable[[], Renewal | None]) -> Steps[None]:
    """Renew the lock, and the life of the states, for as long as the computation takes."""
    seconds = request.options.lock_ttl
    kept_at = engine.clock()
    while True:
        yield Sleep(seconds / 3)
        renewal = weak()
        if renewal is None or renewal.is_over:
            return
        is_time = engine.clock() - kept_at >= MARGIN / 2
        tags = renewal.capture.tags if is_time else ()
        del renewal  # a reference from here would keep it alive
        try:
            if not (yield from engine.store.renew_lock(request.key, token, seconds, tags)):
                return
            kept_at = engine.clock() if is_time else kept_at
        except Unavailable:
            pass  # both may last until the next time


def unlock(engine: Engine, request: ComputeRequest, token: bytes) -> Steps[None]:
    """Release the lock of a result, if Redis answers."""
    with suppress(Unavailable):  # it ends by itself
        yield from engine.store.unlock(request.key, token)


def refresh_in_background(engine: Engine, request: ComputeRequest) -> Steps[None]:
    """Start to compute the next result in the background, unless that is under way already, or as many computations as
    are allowed. Then a later call starts it."""
    if request.key in engine.refreshing or len(engine.refreshing) >= engine.max_background:
        return
    engine.refreshing.add(request.key)
    token = os.urandom(12)
    is_spawned = False
    try:
        if (yield from engine.store.lock(request.key, token, request.options.lock_ttl)):
            request.counters.add("early_refreshes")
            yield Spawn(lambda: _refresh(engine, request, token), lambda: engine.refreshing.discard(request.key))
            is_spawned = True
    except Unavailable:
        pass  # there is a result to serve; the next call tries again
    finally:
        if not is_spawned:
            engine.refreshing.discard(request.key)


def _refresh(engine: Engine, request: ComputeRequest, token: bytes) -> Steps[None]:
    if request.is_unchanged():
        yield from compute(engine, request, None, None, token, is_in_background=True)
    else:
        yield from unlock(engine, request, token)
