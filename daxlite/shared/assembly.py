"""Puts a process's part of the shared tier together, and takes it apart."""

import asyncio
import atexit
import os
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from ..core.extents import Extent
from ..core.shared_stats import SharedStats
from ..core.steps import Steps
from ..faults import Faults
from .connections import connections_of
from .encryption import Encryptor
from .envelope import Envelope
from .errors import Unavailable
from .hearing import Hearing
from .keyspace import Keyspace
from .messages import Message
from .outbox import LONGEST_END, Outbox
from .tags import NAMESPACE
from .tier import Local, Settings, Tier
from .wires import Servers
from .writes import attend


class Membership:
    """One cache's part of the tier, with its connections and its threads."""

    def __init__(
        self,
        given: Any,
        settings: Settings,
        local: Local,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        drive: Callable[[Steps[None]], None],
    ) -> None:
        """given: the `daxlite.Shared`. drive: takes steps in the thread that calls it."""
        self._connections = connections_of(given.server, given.budget, clock, is_budget=True, takes_async=True)
        keyspace = Keyspace(given.namespace, given.server)
        encryptor = Encryptor(given.encryption_keys) if given.encryption_keys else None
        envelope = Envelope(given.compress_above, encryptor=encryptor)
        self.faults = Faults()
        threads = self._connections.threads
        self.hearing = Hearing(
            Servers(threads.clients, self._connections.doubt),
            keyspace,
            threads.breaker,
            clock=clock,
            wall_clock=wall_clock,
            outage_ttl=given.outage_ttl,
            is_proxy=given.proxy,
        )
        known: list[weakref.ref[Tier]] = []
        self._outbox = Outbox(keyspace, partial(_take, known), self._connections, self.faults, drive, is_urgent=True)
        self.tier: Final = Tier(
            settings, keyspace, self._connections, envelope, self._outbox, self.hearing, local, clock, wall_clock
        )
        # The threads keep neither the tier nor the cache alive.
        known.append(weakref.ref(self.tier))
        self._outbox.distrust = self.tier.distrust
        self._outbox.duties = partial(_attend, known)
        self._connections.on_broken(partial(_broken, known))
        self.hearing.on_message = partial(_heard, known)
        self.hearing.on_lost = partial(_lost, known)
        self.hearing.on_renewed = partial(_renewed, known, drive)
        self.hearing.on_fault = self.faults.note
        if given.report is not None:
            self.tier.report_to(partial(_report, weakref.ref(self), given.report), given.report_every)
        _members.add(self)
        weakref.finalize(self, _stop, self.hearing, self._outbox).atexit = False

    def stats(self) -> SharedStats:
        """A snapshot of all counts."""
        counts, heard, breaker = self.tier.counts, self.hearing.counts, self._connections.threads.breaker
        p50, p99 = counts.quantiles()
        return SharedStats(
            hits=counts.hits,
            misses=counts.misses,
            waits=counts.waits,
            fills=counts.fills,
            probation_fills=counts.probation_fills,
            refused_fills=dict(counts.refused),
            writes=counts.writes,
            untold_writes=counts.untold_writes,
            messages=heard.messages,
            duplicates=heard.duplicates,
            leases_lost=heard.leases_lost,
            renewals=heard.renewals,
            is_hearing=self.hearing.hears(NAMESPACE),
            pending=len(self._outbox),
            bytes_read=counts.bytes_read,
            bytes_written=counts.bytes_written,
            errors=breaker.errors,
            skipped=breaker.skipped,
            seconds_p50=p50,
            seconds_p99=p99,
        )

    def begin(self) -> None:
        """Begin anew in a child process: the threads of the parent are not there any more, and what the parent owes it
        delivers itself."""
        self._connections.begin()
        self.hearing.begin()
        self._outbox.begin()
        self._outbox.forget()
        self.tier.begin()

    def close(self) -> None:
        """Deliver what is pending, if the server takes it within about a second, and end the threads and the
        connections. Blocks; in an event loop, `async_close` does not."""
        self._leave()
        self._connections.close()

    async def async_close(self) -> None:
        """The same; the connections of this event loop are closed when it returns."""
        await asyncio.to_thread(self._leave)
        await self._connections.async_close()

    def _leave(self) -> None:
        self.hearing.close()
        self._outbox.add(self.tier.upkeep.ripe(is_end=True))
        self._outbox.close()

    def end(self) -> None:
        """The program ends: deliver what is pending, if the server takes it within about a second."""
        _stop(self.hearing, self._outbox)
        self._outbox.add(self.tier.upkeep.ripe(is_end=True))
        self._outbox.try_again(seconds=LONGEST_END)


def _report(member: "weakref.ref[Membership]", report: Callable[[SharedStats], object]) -> None:
    known = member()
    if known is not None:
        report(known.stats())


def _heard(known: list[weakref.ref[Tier]], message: Message) -> None:
    tier = known[0]()
    if tier is not None:
        tier.heard(message)


def _lost(known: list[weakref.ref[Tier]]) -> None:
    tier = known[0]()
    if tier is not None:
        tier.again.lost()


def _renewed(known: list[weakref.ref[Tier]], drive: Callable[[Steps[None]], None]) -> bool:
    tier = known[0]()
    if tier is None:
        return True
    tier.renew()
    is_told = False

    def steps() -> Steps[None]:
        nonlocal is_told
        is_told = yield from tier.again.renewed()

    with suppress(Unavailable):  # it is asked again before long
        drive(steps())
    return is_told


def _broken(known: list[weakref.ref[Tier]]) -> None:
    tier = known[0]() if known else None
    if tier is not None:
        tier.again.broken()


def _attend(known: list[weakref.ref[Tier]]) -> Steps[bool]:
    tier = known[0]()
    return False if tier is None else (yield from attend(tier))


def _take(known: list[weakref.ref[Tier]], changed: Mapping[bytes, Extent]) -> None:
    tier = known[0]() if known else None
    if tier is not None:
        tier.take(changed, 0.0)


def _stop(hearing: Hearing, outbox: Outbox) -> None:
    """Let the threads end. The garbage collector may call it at any moment, so nothing here takes a lock."""
    hearing.stop()
    outbox.stop()


_members: Final[weakref.WeakSet[Membership]] = weakref.WeakSet()


def _begin_in_child() -> None:
    for each in list(_members):
        each.begin()


@atexit.register
def _end() -> None:
    """The program ends: deliver what is pending, if the server takes it."""
    for each in list(_members):
        each.end()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
