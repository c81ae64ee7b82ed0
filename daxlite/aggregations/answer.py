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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import log
from typing import Any, Final

from ..shared.keyspace import Keyspace
from ..shared.link import Link, Unavailable
from .capture import Capture, Knowledge, open_capture
from .codec import Codec
from .entry import Entry
from .errors import Corrupt, Unstorable
from .flights import Flight, Flights, Landed
from .near import Near
from .options import Options
from .stats import Counters
from .steps import Compute, Sleep, Spawn, Steps, Wait
from .store import Found, Store

FIRST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.1
"""How often it is looked, in seconds, whether somebody else's computation is done."""


@dataclass(slots=True, eq=False)
class Question:
    """One result that is asked for."""

    key: bytes
    name: str
    """What it is called in logs."""
    options: Options
    codec: Codec
    counters: Counters
    tags: tuple[bytes, ...]
    """What it depends on in any case."""
    compute: Callable[[], Any]


@dataclass(slots=True, eq=False)
class Desk:
    """Where questions are answered: what all of them share."""

    store: Store
    near: Near
    flights: Flights
    keyspace: Keyspace
    link: Link
    knowledge: Knowledge
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    random: Callable[[], float]
    most_bytes: int
    complain: Callable[[str, Exception], None]
    """Reports, once, what kept a result from being stored."""
    me: Callable[[], object]
    """Who is asking: the thread or task that runs."""
    refreshing: set[bytes] = field(default_factory=set)
    """The keys that are being computed in the background."""


def near_hit(desk: Desk, question: Question) -> tuple[Any] | None:
    """The result, if this process has it at hand; and no need to compute it anew soon."""
    entry = desk.near.get(question.key)
    if entry is None or not _is_fresh(desk, entry) or _is_due(desk, entry, question.options):
        return None
    try:
        value = question.codec.decode(entry.payload)
    except Corrupt:
        return None
    _adopt(desk, entry)
    question.counters.add("near_hits")
    return (value,)


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
            question.counters.add("misses")
            question.counters.add("joined")
            _adopt(desk, landed.entry)
            return question.codec.decode(landed.entry.payload)
    question.counters.add("misses")
    return (yield from _compute(desk, question, None, None, None))


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
            return (yield from _compute(desk, question, flown, None, None, is_reachable=False))
        return (yield from _compute(desk, question, flown, None, token if is_locked else None))
    finally:
        if is_leader:
            desk.flights.land(question.key, flight)


def peek(desk: Desk, question: Question, default: Any) -> Steps[Any]:
    """The result if there is a fresh one, else the default. Computes nothing and counts nothing."""
    try:
        found = yield from desk.store.fetch(question.key, question.tags, Counters())
        if found is not None and found.is_current and _is_fresh(desk, found.entry):
            return question.codec.decode(found.entry.payload)
    except Corrupt:
        pass
    return default


# One leader for each key in a process


def _lead(desk: Desk, question: Question, flight: Flight) -> Steps[Any]:
    counters, options = question.counters, question.options
    try:
        found = yield from desk.store.fetch(question.key, question.tags, counters)
        usable = yield from _usable(desk, question, found, flight)
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
                yield from _unlocked(desk, question, token)
                counters.add("awaited")
                return result[0]
    except Unavailable:
        # Without Redis everybody computes, though in one process one for all who ask at the same time.
        return (yield from _compute(desk, question, flight, None, None, is_reachable=False))
    return (yield from _compute(desk, question, flight, found, token or None))


def _usable(desk: Desk, question: Question, found: Found | None, flight: Flight) -> Steps[tuple[Any] | None]:
    """What was found, if it may be served; with the next one under way if it is time."""
    if found is None or not found.is_current:
        return None
    options, counters = question.options, question.counters
    is_fresh = _is_fresh(desk, found.entry)
    late_by = desk.wall_clock() - found.entry.expires_at
    if not is_fresh and late_by >= options.stale_while_revalidate:
        return None
    result = _decoded(question, found.entry)
    if result is None:
        return None
    counters.add("shared_hits" if is_fresh else "stale_hits")
    _adopt(desk, found.entry)
    if is_fresh:
        _land(desk, question, flight, found)
    else:
        desk.flights.land(question.key, flight, Landed(found.entry, found.since, True))
    if not is_fresh or _is_due(desk, found.entry, options):
        yield from _refresh_in_background(desk, question)
    return result


def _fresh(desk: Desk, question: Question, found: Found | None, flight: Flight) -> tuple[Any] | None:
    """What was found, if it is fresh."""
    if found is None or not found.is_current or not _is_fresh(desk, found.entry):
        return None
    result = _decoded(question, found.entry)
    if result is not None:
        _adopt(desk, found.entry)
        _land(desk, question, flight, found)
    return result


def _land(desk: Desk, question: Question, flight: Flight, found: Found) -> None:
    desk.near.put(question.key, found.entry, found.since)
    desk.flights.land(question.key, flight, Landed(found.entry, found.since, True))


def _refresh_in_background(desk: Desk, question: Question) -> Steps[None]:
    """Begin to compute the next result, if nobody does already."""
    if question.key in desk.refreshing:
        return
    desk.refreshing.add(question.key)
    token = os.urandom(12)
    is_begun = False
    try:
        if (yield from desk.store.lock(question.key, token, question.options.lock_ttl)):
            question.counters.add("early_refreshes")
            yield Spawn(lambda: _background(desk, question, token))
            is_begun = True
    except Unavailable:
        pass  # the result is there; the next caller may have more luck
    finally:
        if not is_begun:
            desk.refreshing.discard(question.key)


def _background(desk: Desk, question: Question, token: bytes) -> Steps[None]:
    try:
        yield from _compute(desk, question, None, None, token)
    finally:
        desk.refreshing.discard(question.key)


# The computation


def _compute(
    desk: Desk,
    question: Question,
    flight: Flight | None,
    old: Found | None,
    token: bytes | None,
    *,
    is_reachable: bool = True,
) -> Steps[Any]:
    """Compute, and store what comes of it if nothing changed meanwhile.

    old: what was found before. token: of the lock that is held. is_reachable: False where Redis has just failed, so
    that a computation waits for it once, not at each step.
    """
    counters, options = question.counters, question.options
    outer = open_capture()
    keys = (outer.keys if outer is not None else frozenset()) | {question.key}
    capture = Capture(desk.keyspace, desk.link, desk.knowledge, desk.wall_clock, keys, notes=options.capture)
    stop_renewing = None
    try:
        if is_reachable:
            stop_renewing = yield from _prepare(desk, question, capture, old, token)
        else:
            capture.stop_asking()
        began, computed_at = desk.clock(), desk.wall_clock()
        counters.add("computations")
        try:
            value = yield Compute(question.compute, capture)
        except Exception:
            counters.add("compute_errors")
            result = _rather_old(desk, question, old)
            if result is None:
                raise
            return result[0]
        finally:
            capture.close()
            seconds = desk.clock() - began
            counters.add("compute_seconds", seconds)
        yield from _store(desk, question, flight, capture, value, computed_at, seconds)
        if outer is not None:
            _depend_through(outer, capture)
        return value
    finally:
        if stop_renewing is not None:
            stop_renewing()
        if token is not None:
            yield from _unlocked(desk, question, token)


def _prepare(
    desk: Desk, question: Question, capture: Capture, old: Found | None, token: bytes | None
) -> Steps[Callable[[], None] | None]:
    """Take the stamps of what it will depend on, as far as that is known, and see that the lock is kept. Returns what
    ends that."""
    # A result depends on about the same as the one before.
    expected = old.entry.tags if old is not None else desk.store.hint(question.key)
    try:
        yield from desk.store.take(capture, (*question.tags, *expected))
        capture.depend(question.tags)
    except (Unavailable, ValueError):
        capture.stop_asking()
        return None
    if token is None:
        return None
    stop: Callable[[], None] = yield Spawn(lambda: _keep_locked(desk, question, token))
    return stop


def _store(
    desk: Desk,
    question: Question,
    flight: Flight | None,
    capture: Capture,
    value: Any,
    computed_at: float,
    seconds: float,
) -> Steps[None]:
    counters, options = question.counters, question.options
    try:
        payload = question.codec.encode(value)
    except Unstorable as error:
        counters.add("unstorable")
        desk.complain(question.name, error)
        return
    expires_at = computed_at + options.ttl * (1 - options.jitter * desk.random())
    if capture.settled_at > computed_at:
        # A replica may have answered that had not heard of the last change. DynamoDB itself would be that old for as
        # long, but not for longer.
        expires_at = min(expires_at, capture.settled_at)
    tags, stamps = tuple(capture.stamp_of), tuple(capture.stamp_of.values())
    entry = Entry(payload, computed_at, expires_at, capture.settled_at, seconds, tags, stamps)
    since = desk.near.now()
    is_clean = False
    try:
        is_clean = capture.is_whole and (yield from desk.store.are_current(capture))
        lives_for = expires_at + options.grace - desk.wall_clock()
        if not is_clean or lives_for <= 0:
            counters.add("discarded")
        elif size := (yield from desk.store.save(question.key, entry, lives_for, desk.most_bytes)):
            counters.add("stored")
            counters.add("bytes_written", size)
            desk.near.put(question.key, entry, since)
        else:
            counters.add("unstorable")
            desk.complain(question.name, Unstorable(f"a result of more than max_value_bytes, {desk.most_bytes}"))
    except Unavailable:
        is_clean = False
    finally:
        if flight is not None:
            desk.flights.land(question.key, flight, Landed(entry, since, is_clean))


def _rather_old(desk: Desk, question: Question, old: Found | None) -> tuple[Any] | None:
    """The old result in place of an error, if the application wants that."""
    if old is None or desk.wall_clock() - old.entry.expires_at >= question.options.stale_if_error:
        return None
    result = _decoded(question, old.entry)
    if result is not None:
        question.counters.add("stale_hits")
        _adopt(desk, old.entry)
    return result


def _keep_locked(desk: Desk, question: Question, token: bytes) -> Steps[None]:
    """Renew the lock for as long as the computation takes."""
    seconds = question.options.lock_ttl
    while True:
        yield Sleep(seconds / 3)
        try:
            if not (yield from desk.store.renew(question.key, token, seconds)):
                return
        except Unavailable:
            pass  # it may last until the next time


def _unlocked(desk: Desk, question: Question, token: bytes) -> Steps[None]:
    with suppress(Unavailable):  # it ends by itself
        yield from desk.store.unlock(question.key, token)


# Results that are computed from other results


def _adopt(desk: Desk, entry: Entry) -> None:
    """What a computation has from another result, it has from everything on which that depends."""
    outer = open_capture()
    if outer is None:
        return
    if outer.keyspace is desk.keyspace:
        outer.adopt(entry.stamp_of)
        outer.settled_at = max(outer.settled_at, entry.settled_at)
    else:
        outer.give_up()  # stamps of another namespace say nothing in this one


def _depend_through(outer: Capture, inner: Capture) -> None:
    if outer.keyspace is inner.keyspace and inner.is_whole:
        outer.adopt(inner.stamp_of)
        outer.settled_at = max(outer.settled_at, inner.settled_at)
    else:
        outer.give_up()


# Small questions


def _decoded(question: Question, entry: Entry) -> tuple[Any] | None:
    try:
        return (question.codec.decode(entry.payload),)
    except Corrupt:
        question.counters.add("corrupt")
        return None


def _is_fresh(desk: Desk, entry: Entry) -> bool:
    return desk.wall_clock() < entry.expires_at


def _is_due(desk: Desk, entry: Entry, options: Options) -> bool:
    """Whether it is time to compute the next result, by XFetch: the nearer the end, and the longer it takes."""
    if not options.early_refresh:
        return False
    early_by = -log(1 - desk.random()) * options.early_refresh * entry.seconds
    return desk.wall_clock() + early_by >= entry.expires_at
