"""Get or compute: the whole algorithm, with neither a server nor a thread in it.

near cache --hit--> the result
    | miss
a flight of this process for the same key? --yes--> wait for it
    | no: this caller leads
Redis: fresh? --yes--> the result (due to be computed anew soon? in the background)
    | expired, nothing changed, within stale_while_revalidate --> the result, and the next one in the background
    | else
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
    entry = desk.near.get(question.key)
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
    is_own = outer is not None and question.key in outer.keys
    # Who waited for a whole computation that began after he came may take it, whatever changed meanwhile: so nobody
    # waits for more than two, however often something changes.
    for is_second in (False, True):
        if is_own:
            break  # a computation that asks for its own result would wait for itself
        flight, is_leader = desk.flights.start_or_join(question.key, desk.me())
        if is_leader:
            try:
                return (yield from _lead(desk, question, flight))
            finally:
                desk.flights.land(question.key, flight)
        if flight.owner == desk.me():
            break
        yield Wait(flight, question.options.longest_wait)
        landed = flight.landed
        if landed is None:
            break  # it failed, or takes too long: all who waited go on at once, not one after the other
        is_true = landed.is_clean and not desk.near.has_changed(landed.entry.tags, landed.since)
        if is_true or is_second:
            result = decoded(question, landed.entry)
            if result is None:
                break  # the other asked for it as another type
            question.counters.add("misses")
            question.counters.add("joined")
            adopt(desk.keyspace, landed.entry, is_clean=landed.is_clean)
            return result[0]
    return (yield from _alone(desk, question))


def _alone(desk: Desk, question: Question) -> Steps[Any]:
    """The result for one who does not wait for anybody."""
    try:
        found = yield from desk.store.fetch(question.key, question.tags, question.counters)
    except Unavailable:
        question.counters.add("misses")
        return (yield from compute(desk, question, None, None, None, is_reachable=False))
    result = _fresh(desk, question, found)
    if result is not None:
        question.counters.add("shared_hits")
        return result[0]
    question.counters.add("misses")
    return (yield from compute(desk, question, None, found, None))


def refresh(desk: Desk, question: Question) -> Steps[Any]:
    """Compute the result anew, whatever there is."""
    flight, is_leader = desk.flights.start_or_join(question.key, desk.me())
    flown = flight if is_leader else None
    token = os.urandom(12)
    try:
        try:
            # Somebody who has it already is computing: that is no reason not to.
            is_locked = yield from desk.store.lock(question.key, token, question.options.lock_ttl)
        except Unavailable:
            return (yield from compute(desk, question, flown, None, None, is_reachable=False))
        return (yield from compute(desk, question, flown, None, token if is_locked else None))
    finally:
        if is_leader:
            desk.flights.land(question.key, flight)


def peek(desk: Desk, question: Question, default: Any) -> Steps[Any]:
    """The result if there is a fresh one, else the default. Computes nothing and counts nothing."""
    outer = open_capture()
    entry = desk.near.get(question.key)
    if entry is not None and is_fresh(desk, entry) and (result := decoded(question, entry)) is not None:
        adopt(desk.keyspace, entry)
        return result[0]
    found = yield from desk.store.fetch(question.key, question.tags, Counters())
    result = _fresh(desk, question, found)
    if result is None and outer is not None:
        outer.give_up()  # it depends on there being none, which nobody watches
    return default if result is None else result[0]


# One leader for each key in a process


def _lead(desk: Desk, question: Question, flight: Flight) -> Steps[Any]:
    counters, options = question.counters, question.options
    is_counted = False
    try:
        found = yield from desk.store.fetch(question.key, question.tags, counters)
        usable = yield from _usable(desk, question, found, flight)
        is_counted = True
        if usable is not None:
            return usable[0]
        counters.add("misses")
        token = os.urandom(12)
        began = desk.clock()
        while not (yield from desk.store.lock(question.key, token, options.lock_ttl)):
            waited = desk.clock() - began
            if waited >= options.longest_wait:
                token = b""
                break
            pause = min(FIRST_PAUSE + waited / 4, LONGEST_PAUSE) * (0.5 + desk.random())
            yield Sleep(pause)
            counters.add("wait_seconds", pause)
            found = yield from desk.store.fetch(question.key, question.tags, counters)
            if (result := _fresh(desk, question, found, flight)) is not None:
                counters.add("awaited")
                return result[0]
        if token:
            # Between the look and the lock somebody else may have come and gone.
            found = yield from desk.store.fetch(question.key, question.tags, counters)
            if (result := _fresh(desk, question, found, flight)) is not None:
                yield from unlocked(desk, question, token)
                counters.add("awaited")
                return result[0]
    except Unavailable:
        # Without Redis everybody computes, though in one process one for all who ask at the same time.
        if not is_counted:
            counters.add("misses")
        return (yield from compute(desk, question, flight, None, None, is_reachable=False))
    return (yield from compute(desk, question, flight, found, token or None))


def _usable(desk: Desk, question: Question, found: Found | None, flight: Flight) -> Steps[tuple[Any] | None]:
    """What was found, if it may be served; with the next one under way if it is time."""
    if found is None or not found.is_current:
        return None
    options, counters = question.options, question.counters
    late_by = desk.wall_clock() - found.entry.expires_at
    if late_by >= 0 and late_by >= options.stale_while_revalidate:
        return None
    result = decoded(question, found.entry)
    if result is None:
        return None
    counters.add("shared_hits" if late_by < 0 else "stale_hits")
    adopt(desk.keyspace, found.entry)
    if late_by < 0:
        _land(desk, question, flight, found)
    else:
        desk.flights.land(question.key, flight, Landed(found.entry, found.since, True))
    if late_by >= 0 or is_due(desk, found.entry, options):
        yield from refresh_in_background(desk, question)
    return result


def _fresh(desk: Desk, question: Question, found: Found | None, flight: Flight | None = None) -> tuple[Any] | None:
    """What was found, if it is fresh."""
    if found is None or not found.is_current or not is_fresh(desk, found.entry):
        return None
    result = decoded(question, found.entry)
    if result is not None:
        adopt(desk.keyspace, found.entry)
        _land(desk, question, flight, found)
    return result


def _land(desk: Desk, question: Question, flight: Flight | None, found: Found) -> None:
    desk.near.put(question.key, found.entry, found.since)
    if flight is not None:
        desk.flights.land(question.key, flight, Landed(found.entry, found.since, True))
