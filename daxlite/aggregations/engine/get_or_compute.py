"""Get or compute: the whole algorithm, as steps.

near cache --hit--> the result
    | miss
Redis: fresh? --yes--> the result (if it is due soon, the next one is computed in the background)
    | expired, nothing changed, within stale_while_revalidate --> the result, and the next one in the background
    | else
a flight of this process for the same key? --yes--> wait for it
    | no: this caller leads
the lock of the result --another process has it--> wait, look again; until lock_ttl if it died, at most max_wait
    | ours
compute, noting what is read; is all of that true still? --no--> the result, but it is not stored
    | yes
store it, release the lock
"""

import os
from typing import Any, Final

from ...core.steps import Sleep, Steps, Wait
from ...shared.errors import Unavailable
from ..capture.capture import keys_under_way, open_captures
from ..capture.nesting import depend_on_result
from ..stats import FunctionCounters
from .compute import compute, refresh_in_background, unlock
from .engine import Engine
from .flights import ComputeFlight, Outcome
from .request import ComputeRequest
from .store import FoundResult

FIRST_PAUSE: Final = 0.005  # seconds
MAX_PAUSE: Final = 0.1  # seconds
"""The pauses between two looks for the result of another process."""


def near_hit(engine: Engine, request: ComputeRequest) -> tuple[Any] | None:
    """The result from the near cache, unless it is due to be computed anew; None if there is none."""
    stored = engine.near.get(request.key, request.tags)
    if stored is None or not engine.is_fresh(stored) or engine.is_due(stored, request.options):
        return None
    result = request.decode(stored)
    if result is not None:
        depend_on_result(engine.keyspace, stored)
        request.counters.add("near_hits")
    return result


def get_or_compute(engine: Engine, request: ComputeRequest) -> Steps[Any]:
    """The result, from Redis, from another caller's computation, or computed."""
    # A computation that asks for its own result would wait for itself.
    may_wait = request.key not in engine.unstorable_keys and request.key not in keys_under_way()
    deadline = engine.clock() + request.options.max_wait
    is_counted = False
    while True:
        arrived = engine.flights.next_number()
        found, is_reachable = None, True
        try:
            found = yield from engine.store.fetch(request.key, request.tags, request.counters)
        except Unavailable:
            is_reachable = False
        served = yield from _serve(engine, request, found, is_counted)
        if served is not None:
            return served[0]
        if not is_counted:
            is_counted = True
            request.counters.add("misses")
        if not may_wait:
            return (yield from compute(engine, request, None, found, None, is_reachable=is_reachable))
        own, flight = ComputeFlight(engine.current_caller()), None
        try:
            flight = engine.flights.start_or_join(request.key, own)
            if flight is own and is_reachable:
                return (yield from _compute_under_lock(engine, request, own, found))
            if flight is own:
                # Without Redis each process computes, though once for all callers that ask at the same time.
                return (yield from compute(engine, request, own, None, None, is_reachable=False))
        except Exception:
            raise
        except BaseException:
            own.is_abandoned = True
            raise
        finally:
            if flight is own or flight is None:  # None: an interruption came before it was told which
                engine.flights.land(request.key, own)
        if flight.leader != engine.current_caller():
            yield Wait(flight.latch, max(0.0, deadline - engine.clock()))
        outcome = flight.outcome
        if outcome is None:
            # It failed, or takes too long: all followers go on at once, not one after the other. Or its leader was
            # cancelled: then another one leads.
            may_wait = flight.is_abandoned and engine.clock() < deadline
        elif arrived < outcome.true_at:
            # Else the result may be older than this call, and the next flight begins after it.
            result = request.decode(outcome.stored)
            if result is not None:
                request.counters.add("joined")
                depend_on_result(engine.keyspace, outcome.stored, is_current=outcome.is_current)
                return result[0]
            may_wait = False  # the leader asked for it as another type


def refresh(engine: Engine, request: ComputeRequest) -> Steps[Any]:
    """Compute the result anew, whether or not there is one. A computation that is under way already may be based on
    older data, so it is not stored."""
    token = os.urandom(12)
    try:
        yield from engine.store.invalidate(request.key)
        # If another process has the lock it is computing, but from what was there before this call.
        is_locked = yield from engine.store.lock(request.key, token, request.options.lock_ttl)
    except Unavailable:
        return (yield from compute(engine, request, None, None, None, is_reachable=False))
    return (yield from compute(engine, request, None, None, token if is_locked else None))


def peek(engine: Engine, request: ComputeRequest, default: Any) -> Steps[Any]:
    """The result if there is a fresh one, else the default. Computes nothing and counts nothing."""
    stored = engine.near.get(request.key, request.tags)
    if stored is not None and engine.is_fresh(stored) and (result := request.decode(stored)) is not None:
        depend_on_result(engine.keyspace, stored)
        return result[0]
    found = yield from engine.store.fetch(request.key, request.tags, FunctionCounters())
    result = _serve_fresh(engine, request, found)
    if result is None:
        for outer in open_captures():
            outer.mark_incomplete()  # it depends on there being no result, of which no tag tells
    return default if result is None else result[0]


def _compute_under_lock(
    engine: Engine, request: ComputeRequest, flight: ComputeFlight, found: FoundResult | None
) -> Steps[Any]:
    """Compute under the lock of the result, or wait for the process that has it."""
    counters, options = request.counters, request.options
    token = os.urandom(12)
    began = engine.clock()
    is_locked = False
    try:
        while not is_locked:
            is_locked = yield from engine.store.lock(request.key, token, options.lock_ttl)
            if not is_locked:
                waited = engine.clock() - began
                if waited >= options.max_wait:
                    break
                pause = min(FIRST_PAUSE + waited / 4, MAX_PAUSE) * (0.5 + engine.random())
                yield Sleep(pause)
                counters.add("wait_seconds", pause)
            # Also under the lock: another process may have stored a result between the last look and the lock.
            true_at = engine.flights.next_number()
            found = yield from engine.store.fetch(request.key, request.tags, counters)
            result = _serve_fresh(engine, request, found)
            if found is not None and result is not None:
                counters.add("awaited")
                engine.flights.land(request.key, flight, Outcome(found.stored, true_at, is_current=True))
                if is_locked:
                    yield from unlock(engine, request, token)
                return result[0]
    except Unavailable:
        return (yield from compute(engine, request, flight, None, None, is_reachable=False))
    return (yield from compute(engine, request, flight, found, token if is_locked else None))


def _serve(
    engine: Engine, request: ComputeRequest, found: FoundResult | None, is_counted: bool
) -> Steps[tuple[Any] | None]:
    """The result that was found, if it may be served; if it is due, the next one is computed in the background."""
    if found is None or not found.is_current:
        return None
    late_by = engine.wall_clock() - found.stored.expires_at
    if late_by >= 0 and late_by >= request.options.stale_while_revalidate:
        return None
    result = request.decode(found.stored)
    if result is None:
        return None
    if not is_counted:  # else it was a miss, and this is what came of waiting
        request.counters.add("shared_hits" if late_by < 0 else "stale_hits")
    depend_on_result(engine.keyspace, found.stored)
    if late_by < 0:
        engine.near.put(request.key, found.stored, found.since)
    if late_by >= 0 or engine.is_due(found.stored, request.options):
        yield from refresh_in_background(engine, request)
    return result


def _serve_fresh(engine: Engine, request: ComputeRequest, found: FoundResult | None) -> tuple[Any] | None:
    """The result that was found, if it is fresh."""
    if found is None or not found.is_current or not engine.is_fresh(found.stored):
        return None
    result = request.decode(found.stored)
    if result is not None:
        depend_on_result(engine.keyspace, found.stored)
        engine.near.put(request.key, found.stored, found.since)
    return result
