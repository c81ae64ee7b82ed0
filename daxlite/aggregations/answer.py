"""Get or compute: the whole algorithm, with neither a server nor a thread in it.

near cache --hit--> the result
    | miss
Redis: fresh? --yes--> the result (due to be computed anew soon? in the background)
    | expired, nothing changed, within stale_while_revalidate --> the result, and the next one in the background
    | else
a flight of this process for the same key? --yes--> wait for it
    | no: this caller leads
the lock of this result --somebody has it--> wait, look again; he is dead after lock_ttl, or too slow for longest_wait
    | ours
compute, noting what is read; is all of that as it was? --no--> the result, but it is not stored
    | yes
store it, give the lock back
"""

import os
from typing import Any, Final

from ..shared.link import Unavailable
from .capture import open_capture
from .computation import compute, refresh_in_background, unlocked
from .flights import Flight, Landed
from .nesting import adopt
from .question import Desk, Question, decoded, is_due, is_fresh
from .stats import Counters
from .steps import Sleep, Steps, Wait
from .store import Found

FIRST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.1
"""How often it is looked, in seconds, whether somebody else's computation is done."""


def near_hit(desk: Desk, question: Question) -> tuple[Any] | None:
    """The result, if this process has it at hand; and no need to compute it anew soon."""
    entry = desk.near.get(question.key, question.tags)
    if entry is None or not is_fresh(desk, entry) or is_due(desk, entry, question.options):
        return None
    result = decoded(question, entry)
    if result is not None:
        adopt(desk.keyspace, entry)
        question.counters.add("near_hits")
    return result


def answer(desk: Desk, question: Question) -> Steps[Any]:
    """The result, from wherever it can be had."""
    outer = open_capture()
    # A computation that asks for its own result would wait for itself.
    waits = question.key not in desk.hopeless and (outer is None or question.key not in outer.keys)
    until = desk.clock() + question.options.longest_wait
    is_counted = False
    while True:
        came = desk.flights.number()
        found, is_reachable = None, True
        try:
            found = yield from desk.store.fetch(question.key, question.tags, question.counters)
        except Unavailable:
            is_reachable = False
        usable = yield from _usable(desk, question, found, is_counted)
        if usable is not None:
            return usable[0]
        if not is_counted:
            is_counted = True
            question.counters.add("misses")
        if not waits:
            return (yield from compute(desk, question, None, found, None, is_reachable=is_reachable))
        flight, is_leader = None, False
        try:
            flight, is_leader = desk.flights.start_or_join(question.key, desk.me())
            if is_leader and is_reachable:
                return (yield from _lead(desk, question, flight, found))
            if is_leader:
                # Without Redis everybody computes, though in one process one for all who ask at the same time.
                return (yield from compute(desk, question, flight, None, None, is_reachable=False))
        except Exception:
            raise
        except BaseException:
            if flight is not None and is_leader:
                flight.is_abandoned = True
            raise
        finally:
            if flight is not None and is_leader:
                desk.flights.land(question.key, flight)
        if flight.owner != desk.me():
            yield Wait(flight, max(0.0, until - desk.clock()))
        landed = flight.landed
        if landed is None:
            # It failed, or takes too long: all who waited go on at once, not one after the other. Or its owner was
            # cancelled: then somebody else leads.
            waits = flight.is_abandoned and desk.clock() < until
        elif came < landed.true_at:
            # What was true only before this caller came would not be for him; the next flight begins after he did.
            result = decoded(question, landed.entry)
            if result is not None:
                question.counters.add("joined")
                adopt(desk.keyspace, landed.entry, is_clean=landed.is_clean)
                return result[0]
            waits = False  # the other asked for it as another type


def refresh(desk: Desk, question: Question) -> Steps[Any]:
    """Compute the result anew, whatever there is. What is being computed already is of before, and not stored."""
    token = os.urandom(12)
    try:
        yield from desk.store.invalidate(question.key)
        # Somebody who has it already is computing: that is no reason not to.
        is_locked = yield from desk.store.lock(question.key, token, question.options.lock_ttl)
    except Unavailable:
        return (yield from compute(desk, question, None, None, None, is_reachable=False))
    return (yield from compute(desk, question, None, None, token if is_locked else None))


def peek(desk: Desk, question: Question, default: Any) -> Steps[Any]:
    """The result if there is a fresh one, else the default. Computes nothing and counts nothing."""
    outer = open_capture()
    entry = desk.near.get(question.key, question.tags)
    if entry is not None and is_fresh(desk, entry) and (result := decoded(question, entry)) is not None:
        adopt(desk.keyspace, entry)
        return result[0]
    found = yield from desk.store.fetch(question.key, question.tags, Counters())
    result = _fresh(desk, question, found)
    if result is None and outer is not None:
        outer.give_up()  # it depends on there being none, which nobody watches
    return default if result is None else result[0]


# One leader for each key in a process


def _lead(desk: Desk, question: Question, flight: Flight, found: Found | None) -> Steps[Any]:
    """Compute under the lock of the result, or wait for whoever has it."""
    counters, options = question.counters, question.options
    token = os.urandom(12)
    began = desk.clock()
    is_locked = False
    try:
        while not is_locked:
            is_locked = yield from desk.store.lock(question.key, token, options.lock_ttl)
            if not is_locked:
                waited = desk.clock() - began
                if waited >= options.longest_wait:
                    break
                pause = min(FIRST_PAUSE + waited / 4, LONGEST_PAUSE) * (0.5 + desk.random())
                yield Sleep(pause)
                counters.add("wait_seconds", pause)
            # Also under the lock: between the look and the lock somebody else may have come and gone.
            true_at = desk.flights.number()
            found = yield from desk.store.fetch(question.key, question.tags, counters)
            result = _fresh(desk, question, found)
            if found is not None and result is not None:
                counters.add("awaited")
                desk.flights.land(question.key, flight, Landed(found.entry, true_at, is_clean=True))
                if is_locked:
                    yield from unlocked(desk, question, token)
                return result[0]
    except Unavailable:
        return (yield from compute(desk, question, flight, None, None, is_reachable=False))
    return (yield from compute(desk, question, flight, found, token if is_locked else None))


def _usable(desk: Desk, question: Question, found: Found | None, is_counted: bool) -> Steps[tuple[Any] | None]:
    """What was found, if it may be served; with the next one under way if it is time."""
    if found is None or not found.is_current:
        return None
    late_by = desk.wall_clock() - found.entry.expires_at
    if late_by >= 0 and late_by >= question.options.stale_while_revalidate:
        return None
    result = decoded(question, found.entry)
    if result is None:
        return None
    if not is_counted:  # else it was a miss, and is what came of waiting
        question.counters.add("shared_hits" if late_by < 0 else "stale_hits")
    adopt(desk.keyspace, found.entry)
    if late_by < 0:
        desk.near.put(question.key, found.entry, found.since)
    if late_by >= 0 or is_due(desk, found.entry, question.options):
        yield from refresh_in_background(desk, question)
    return result


def _fresh(desk: Desk, question: Question, found: Found | None) -> tuple[Any] | None:
    """What was found, if it is fresh."""
    if found is None or not found.is_current or not is_fresh(desk, found.entry):
        return None
    result = decoded(question, found.entry)
    if result is not None:
        adopt(desk.keyspace, found.entry)
        desk.near.put(question.key, found.entry, found.since)
    return result
