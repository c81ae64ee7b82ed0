"""Get or compute: the whole algorithm, with neither a server nor a thread in it.

near cache --hit--> the result
    | miss
Redis: fresh? --yes--> the result (due to be computed anew soon? in the background)
    | expired, nothing changed, within stale_while_revalidate --> the result, and the next one in the background
    | else
a flight of this process for the same key? --yes--> wait for it
    | no: this caller leads
the lock of this result --somebody has it--> wait, look again; he is dead after lock_ttl, or too slow for max_wait
    | ours
compute, noting what is read; is all of that as it was? --no--> the result, but it is not stored
    | yes
store it, give the lock back
"""

import os
from typing import Any, Final

from ...shared.connection import Unavailable
from ..capture.capture import open_capture
from ..capture.nesting import adopt
from ..stats import FunctionCounters
from ..steps import Sleep, Steps, Wait
from .compute import compute, refresh_in_background, unlocked
from .flights import ComputeFlight, Outcome
from .request import ComputeRequest, Engine, decoded, is_due, is_fresh
from .store import FoundResult

FIRST_PAUSE: Final = 0.005
MAX_PAUSE: Final = 0.1
"""How often it is looked, in seconds, whether somebody else's computation is done."""


def near_hit(engine: Engine, request: ComputeRequest) -> tuple[Any] | None:
    """The result, if this process has it at hand; and no need to compute it anew soon."""
    entry = engine.near.get(request.key, request.tags)
    if entry is None or not is_fresh(engine, entry) or is_due(engine, entry, request.options):
        return None
    result = decoded(request, entry)
    if result is not None:
        adopt(engine.keyspace, entry)
        request.counters.add("near_hits")
    return result


def get_or_compute(engine: Engine, request: ComputeRequest) -> Steps[Any]:
    """The result, from wherever it can be had."""
    outer = open_capture()
    # A computation that asks for its own result would wait for itself.
    waits = request.key not in engine.unstorable_keys and (outer is None or request.key not in outer.keys)
    until = engine.clock() + request.options.max_wait
    is_counted = False
    while True:
        came = engine.flights.number()
        found, is_reachable = None, True
        try:
            found = yield from engine.store.fetch(request.key, request.tags, request.counters)
        except Unavailable:
            is_reachable = False
        usable = yield from _usable(engine, request, found, is_counted)
        if usable is not None:
            return usable[0]
        if not is_counted:
            is_counted = True
            request.counters.add("misses")
        if not waits:
            return (yield from compute(engine, request, None, found, None, is_reachable=is_reachable))
        flight, is_leader = None, False
        try:
            flight, is_leader = engine.flights.start_or_join(request.key, engine.me())
            if is_leader and is_reachable:
                return (yield from _lead(engine, request, flight, found))
            if is_leader:
                # Without Redis everybody computes, though in one process one for all who ask at the same time.
                return (yield from compute(engine, request, flight, None, None, is_reachable=False))
        except Exception:
            raise
        except BaseException:
            if flight is not None and is_leader:
                flight.is_abandoned = True
            raise
        finally:
            if flight is not None and is_leader:
                engine.flights.land(request.key, flight)
        if flight.owner != engine.me():
            yield Wait(flight, max(0.0, until - engine.clock()))
        outcome = flight.outcome
        if outcome is None:
            # It failed, or takes too long: all who waited go on at once, not one after the other. Or its owner was
            # cancelled: then somebody else leads.
            waits = flight.is_abandoned and engine.clock() < until
        elif came < outcome.true_at:
            # What was true only before this caller came would not be for him; the next flight begins after he did.
            result = decoded(request, outcome.entry)
            if result is not None:
                request.counters.add("joined")
                adopt(engine.keyspace, outcome.entry, is_clean=outcome.is_clean)
                return result[0]
            waits = False  # the other asked for it as another type


def refresh(engine: Engine, request: ComputeRequest) -> Steps[Any]:
    """Compute the result anew, whatever there is. What is being computed already is of before, and not stored."""
    token = os.urandom(12)
    try:
        yield from engine.store.invalidate(request.key)
        # Somebody who has it already is computing: that is no reason not to.
        is_locked = yield from engine.store.lock(request.key, token, request.options.lock_ttl)
    except Unavailable:
        return (yield from compute(engine, request, None, None, None, is_reachable=False))
    return (yield from compute(engine, request, None, None, token if is_locked else None))


def peek(engine: Engine, request: ComputeRequest, default: Any) -> Steps[Any]:
    """The result if there is a fresh one, else the default. Computes nothing and counts nothing."""
    outer = open_capture()
    entry = engine.near.get(request.key, request.tags)
    if entry is not None and is_fresh(engine, entry) and (result := decoded(request, entry)) is not None:
        adopt(engine.keyspace, entry)
        return result[0]
    found = yield from engine.store.fetch(request.key, request.tags, FunctionCounters())
    result = _fresh(engine, request, found)
    if result is None and outer is not None:
        outer.mark_incomplete()  # it depends on there being none, which nobody watches
    return default if result is None else result[0]


# One leader for each key in a process


def _lead(engine: Engine, request: ComputeRequest, flight: ComputeFlight, found: FoundResult | None) -> Steps[Any]:
    """Compute under the lock of the result, or wait for whoever has it."""
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
            # Also under the lock: between the look and the lock somebody else may have come and gone.
            true_at = engine.flights.number()
            found = yield from engine.store.fetch(request.key, request.tags, counters)
            result = _fresh(engine, request, found)
            if found is not None and result is not None:
                counters.add("awaited")
                engine.flights.land(request.key, flight, Outcome(found.entry, true_at, is_clean=True))
                if is_locked:
                    yield from unlocked(engine, request, token)
                return result[0]
    except Unavailable:
        return (yield from compute(engine, request, flight, None, None, is_reachable=False))
    return (yield from compute(engine, request, flight, found, token if is_locked else None))


def _usable(
    engine: Engine, request: ComputeRequest, found: FoundResult | None, is_counted: bool
) -> Steps[tuple[Any] | None]:
    """What was found, if it may be served; with the next one under way if it is time."""
    if found is None or not found.is_current:
        return None
    late_by = engine.wall_clock() - found.entry.expires_at
    if late_by >= 0 and late_by >= request.options.stale_while_revalidate:
        return None
    result = decoded(request, found.entry)
    if result is None:
        return None
    if not is_counted:  # else it was a miss, and is what came of waiting
        request.counters.add("shared_hits" if late_by < 0 else "stale_hits")
    adopt(engine.keyspace, found.entry)
    if late_by < 0:
        engine.near.put(request.key, found.entry, found.since)
    if late_by >= 0 or is_due(engine, found.entry, request.options):
        yield from refresh_in_background(engine, request)
    return result


def _fresh(engine: Engine, request: ComputeRequest, found: FoundResult | None) -> tuple[Any] | None:
    """What was found, if it is fresh."""
    if found is None or not found.is_current or not is_fresh(engine, found.entry):
        return None
    result = decoded(request, found.entry)
    if result is not None:
        adopt(engine.keyspace, found.entry)
        engine.near.put(request.key, found.entry, found.since)
    return result
