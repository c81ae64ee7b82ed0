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

from ..shared.link import Unavailable
from .capture import Capture, open_capture
from .entry import Entry
from .errors import Unstorable
from .flights import Flight, Landed
from .nesting import adopt, depend_through
from .question import Desk, Question, decoded
from .steps import Compute, Sleep, Spawn, Steps
from .store import Found

MOST_HOPELESS: Final = 10_000


def compute(
    desk: Desk,
    question: Question,
    flight: Flight | None,
    old: Found | None,
    token: bytes | None,
    *,
    is_reachable: bool = True,
    is_in_background: bool = False,
) -> Steps[Any]:
    """Compute, and store what comes of it if nothing changed meanwhile.

    old: what was found before. token: of the lock that is held. is_reachable: False where Redis has just failed, so
    that a computation waits for it once, not at each step. is_in_background: the caller goes on meanwhile.
    """
    counters, options = question.counters, question.options
    outer = open_capture()
    keys = (outer.keys if outer is not None else frozenset()) | {question.key}
    capture = Capture(
        desk.keyspace, desk.link, desk.knowledge, desk.wall_clock, keys, ttl=options.ttl, notes=options.capture
    )
    lease = Lease()
    try:
        if is_reachable:
            yield from _prepare(desk, question, capture, old, token, lease)
        else:
            capture.stop_asking()
        began, computed_at, true_at = desk.clock(), desk.wall_clock(), desk.flights.number()
        counters.add("computations")
        try:
            value = yield Compute(question.compute, capture)
        except Exception:
            counters.add("compute_errors")
            result = _rather_old(desk, question, old)
            if old is None or result is None:
                raise
            if flight is not None:
                desk.flights.land(question.key, flight, Landed(old.entry, desk.flights.number(), is_clean=False))
            return result[0]
        finally:
            capture.close()
            seconds = desk.clock() - began
            counters.add("compute_seconds", seconds)
        if is_in_background and not question.is_as_asked():
            capture.is_whole = False  # he changed what it was computed from
        yield from _store(desk, question, flight, capture, value, computed_at, seconds, true_at)
        return value
    finally:
        if outer is not None:
            depend_through(outer, capture)
        lease.end()
        if token is not None:
            yield from unlocked(desk, question, token)


def _prepare(
    desk: Desk, question: Question, capture: Capture, old: Found | None, token: bytes | None, lease: "Lease"
) -> Steps[None]:
    """Take the stamps of what it will depend on, as far as that is known, and see that the lock is kept."""
    # A result depends on about the same as the one before.
    expected = old.entry.tags if old is not None else desk.store.hint(question.key)
    try:
        yield from desk.store.take(capture, (*question.tags, *expected))
        capture.depend(question.tags)
    except (Unavailable, ValueError):
        capture.stop_asking()
        return
    if token is not None:
        alive = weakref.ref(lease)
        lease.stop = yield Spawn(lambda: _keep_locked(desk, question, token, alive), lambda: None)


def _store(
    desk: Desk,
    question: Question,
    flight: Flight | None,
    capture: Capture,
    value: Any,
    computed_at: float,
    seconds: float,
    true_at: int,
) -> Steps[None]:
    counters, options = question.counters, question.options
    try:
        payload = question.codec.encode(value)
    except Unstorable as error:
        _refuse(desk, question, error)
        return
    expires_at = min(computed_at + options.ttl * (1 - options.jitter * desk.random()), capture.ends_at)
    computed_at = min(computed_at, capture.oldest)
    if capture.settled_at > computed_at:
        # A replica may have answered that had not heard of the last change. DynamoDB itself would be that old for as
        # long, but not for longer.
        expires_at = min(expires_at, capture.settled_at)
    tags, stamps = tuple(capture.stamp_of), tuple(capture.stamp_of.values())
    entry = Entry(payload, computed_at, expires_at, capture.settled_at, seconds, tags, stamps)
    since = desk.near.now()
    looked_at = desk.flights.number()
    is_clean = False
    try:
        is_clean = capture.is_whole and (yield from desk.store.are_current(capture))
        lives_for = expires_at + options.grace - desk.wall_clock()
        if not is_clean or lives_for <= 0:
            counters.add("discarded")
            if not capture.is_whole and capture.is_asking:
                _lose_hope(desk, question)
        else:
            size = yield from desk.store.save(question.key, entry, lives_for)
            counters.add("stored")
            desk.hopeless.pop(question.key, None)
            counters.add("bytes_written", size)
            desk.near.put(question.key, entry, since)
    except Unstorable as error:
        _refuse(desk, question, error)
    except Unavailable:
        is_clean = False
    finally:
        if flight is not None:
            desk.flights.land(question.key, flight, Landed(entry, looked_at if is_clean else true_at, is_clean))


def _refuse(desk: Desk, question: Question, error: Unstorable) -> None:
    question.counters.add("unstorable")
    _lose_hope(desk, question)
    desk.complain(question.name, error)


def _lose_hope(desk: Desk, question: Question) -> None:
    """Let nobody wait for the next computation of this result, for he would get nothing of it."""
    if len(desk.hopeless) >= MOST_HOPELESS:
        desk.hopeless.clear()
    desk.hopeless[question.key] = None


def _rather_old(desk: Desk, question: Question, old: Found | None) -> tuple[Any] | None:
    """The old result in place of an error, if the application wants that."""
    limit = question.options.stale_if_error
    if old is None or not limit or desk.wall_clock() - old.entry.expires_at >= limit:
        return None
    result = decoded(question, old.entry)
    if result is not None:
        question.counters.add("stale_on_error")
        adopt(desk.keyspace, old.entry, is_clean=False)
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


def _keep_locked(desk: Desk, question: Question, token: bytes, alive: Callable[[], Lease | None]) -> Steps[None]:
    """Renew the lock for as long as the computation takes."""
    seconds = question.options.lock_ttl
    while True:
        yield Sleep(seconds / 3)
        lease = alive()
        if lease is None or lease.is_over:
            return
        del lease  # to hold it here would be to keep it alive
        try:
            if not (yield from desk.store.renew(question.key, token, seconds)):
                return
        except Unavailable:
            pass  # it may last until the next time


def unlocked(desk: Desk, question: Question, token: bytes) -> Steps[None]:
    with suppress(Unavailable):  # it ends by itself
        yield from desk.store.unlock(question.key, token)


def refresh_in_background(desk: Desk, question: Question) -> Steps[None]:
    """Begin to compute the next result, if nobody does already."""
    if question.key in desk.refreshing:
        return
    desk.refreshing.add(question.key)
    token = os.urandom(12)
    is_begun = False
    try:
        if (yield from desk.store.lock(question.key, token, question.options.lock_ttl)):
            question.counters.add("early_refreshes")
            yield Spawn(lambda: _background(desk, question, token), lambda: desk.refreshing.discard(question.key))
            is_begun = True
    except Unavailable:
        pass  # the result is there; the next caller may have more luck
    finally:
        if not is_begun:
            desk.refreshing.discard(question.key)


def _background(desk: Desk, question: Question, token: bytes) -> Steps[None]:
    if question.is_as_asked():
        yield from compute(desk, question, None, None, token, is_in_background=True)
    else:
        yield from unlocked(desk, question, token)
