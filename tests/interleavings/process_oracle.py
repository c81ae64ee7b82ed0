"""What must be true of every answer that a process gets, and of what is left at both levels (P1 to P5, P9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import Any

from daxlite.shared.reads import MIN_AGE
from tests import invariants
from tests.interleavings.fates import Fate, Nature, fate_of, live
from tests.interleavings.interleaving import SETTLE_WINDOW
from tests.interleavings.oracle import PROJECTED, _applied, _form, _shows
from tests.interleavings.processes import Process, Processes, SharedEvent
from tests.interleavings.programs import INDEX, READS, TABLE
from tests.simulator.history import Call

ITEMS = [op for op in (*READS, *PROJECTED) if op.operation == "GetItem"]


class WrongError(AssertionError):
    """A promise was broken."""


@dataclass
class Tally:
    """How much there was to be judged."""

    fates: int = 0
    local_hits: int = 0
    shared_hits: int = 0
    left: int = 0
    killed: int = 0
    late: int = 0
    """Requests that may have arrived after their callers had been told that they failed."""
    troubles: int = 0
    records: int = 0
    """Of the stream of the table, that were heard of."""
    echoes: int = 0
    """Those of them that were excused."""

    def note(self, nature: Nature, world: Processes) -> None:
        """Add a history that was judged."""
        self.fates += 1
        self.left += world.left
        self.killed += sum(process.is_dead for process in world.processes)
        self.late += world.late
        self.troubles += nature.troubles
        if nature.feed is not None:
            self.records += nature.feed.counts.records
            self.echoes += nature.feed.counts.echoes
        for process in world.processes:
            stats = process.cache.stats()
            assert stats.shared is not None
            self.shared_hits += stats.shared.hits
            self.local_hits += stats.total.hits


def check(world: Processes, seed: int, kind: str | None = None, trouble: str | None = None) -> Nature:
    """Have the fate with this seed come true, and judge it. Raises WrongError where a promise is broken, also in a fate
    of which nothing is promised."""
    fate = fate_of(seed, kind, trouble)
    nature = live(world, fate)
    try:
        judge(world, has_lost_pages=fate.kind != "calm")
    except WrongError as wrong:
        wrong.add_note(story(world, fate, nature))
        raise
    return nature


def judge(world: Processes, *, has_lost_pages: bool = False) -> None:
    """Judge what has happened, then let it come to rest, and judge what is left.

    has_lost_pages: pages of global indexes may be left until their TTL, because a writer died before it could name
    their partitions."""
    for event in world.events:
        if not event.op.is_write and event.response is not None:
            _judge_read(world, event)
    world.rest()
    _judge_what_is_left(world, has_lost_pages)
    for process in world.living:
        invariants.check(process.cache._memory)
        if process.cache.stats().faults or process.faults.count:
            raise WrongError("daxlite failed, and hid it")


def _judge_read(world: Processes, event: SharedEvent) -> None:
    op = event.op
    if op.operation == "BatchGetItem":
        _judge_batch(world, event)
        return
    if op.request.get("IndexName") == INDEX:
        # What other programs wrote to a page may be unheard of, though an own write elsewhere is old.
        since = 0 if world.is_fed else _last_settled(world, event)
    else:
        since = _last_told(world, event, partial(_shows, op, event.response))
    answers = [
        _form(world.simulator.answer_at(moment, op.operation, op.request)) for moment in _moments(world, since, event)
    ]
    if _form(event.response) not in answers:
        raise WrongError(f"{event.thread} {op} at {event.began} answered\n  {_form(event.response)}\nnone of {answers}")


def _judge_batch(world: Processes, event: SharedEvent) -> None:
    """A batch reads each item at a moment of its own."""
    assert event.response is not None
    asked = event.op.request["RequestItems"][TABLE]
    got = [_form(item) for item in event.response["Responses"].get(TABLE, [])]
    for key in asked["Keys"]:
        request = {"TableName": TABLE, **asked, "Key": key}
        del request["Keys"]
        moments = _moments(world, _last_told(world, event, partial(eq, key)), event)
        answers = [world.simulator.answer_at(moment, "GetItem", request).get("Item") for moment in moments]
        allowed = [None if answer is None else _form(answer) for answer in answers]
        found = [item for item in got if item in allowed]
        if found:
            got.remove(found[0])
        elif None not in allowed:
            raise WrongError(
                f"{event.thread} {event.op} at {event.began} lacks {key}, or answered {got}, none of {allowed}"
            )
    if got:
        raise WrongError(f"{event.thread} {event.op} at {event.began} has what never was: {got}")


def _writes(world: Processes, event: SharedEvent) -> list[tuple[SharedEvent, Any, Call]]:
    """The writes that had returned before a call began, item by item."""
    return [
        (other, key, call)
        for other in world.events
        if other.op.is_write and other.ended <= event.began
        for key in other.op.keys
        for call in other.sent
    ]


def _last_told(world: Processes, event: SharedEvent, shows: Any) -> int:
    """When the last write was applied of which the process knew as the call began.

    Of a scan Redis knows nothing: what another process wrote within the window before it may be read eventually.
    """
    is_scan = event.op.operation == "Scan"
    return max(
        (
            _applied(other.op, call, key)
            for other, key, call in _writes(world, event)
            if shows(key)
            and world.was_told(event.process, other, key, event.began)
            and not (is_scan and other.process != event.process and other.ended_at > event.began_at - SETTLE_WINDOW)
        ),
        default=0,
    )


def _last_settled(world: Processes, event: SharedEvent) -> int:
    """The same for a global index, which is eventually consistent: it shows what is older than the window."""
    return max(
        (
            _applied(other.op, call, key)
            for other, key, call in _writes(world, event)
            if other.error is None
            and other.ended_at <= event.began_at - SETTLE_WINDOW - MIN_AGE
            and world.was_told(event.process, other, key, event.began)
        ),
        default=0,
    )


def _moments(world: Processes, since: int, event: SharedEvent) -> list[int]:
    return [since, *(moment for moment in world.simulator.moments(TABLE, since, event.ended) if moment > since)]


def _judge_what_is_left(world: Processes, has_lost_pages: bool) -> None:
    pages = {repr(event.op): event.op for event in world.events if event.op.operation in ("Query", "Scan")}
    kept = [*ITEMS, *[op for op in pages.values() if not (has_lost_pages and op.request.get("IndexName") == INDEX)]]
    for process in world.living:
        if process.tier.settings.local:
            _compare(world, process, kept, f"process {process.number} keeps", is_local=True)
    _compare(world, world.witness(), kept, "Redis serves", is_local=False)


def _compare(world: Processes, process: Process, kept: list[Any], who: str, *, is_local: bool) -> None:
    now = world.simulator.history.now
    for op, response in zip(kept, world.hits(process, kept, is_local=is_local), strict=True):
        if response is None:
            continue
        world.left += 1
        truth = _form(world.simulator.answer_at(now, op.operation, op.request))
        if _form(response) != truth:
            raise WrongError(f"at rest {who} for {op}\n  {_form(response)}\nDynamoDB has\n  {truth}")


def story(world: Processes, fate: Fate, nature: Nature) -> str:
    """What happened."""
    lines = [f"  {each.began:4}-{each.ended:4} {each.thread}: {each.op} {_outcome(each)}" for each in world.events]
    return "\n".join([str(fate), *lines, *[f"  {each}" for each in nature.said]])


def _outcome(event: SharedEvent) -> str:
    applied = ",".join(str(call.applied) for call in event.sent)
    where = f" applied/read at {applied}" if event.sent else " from the cache"
    return f"{where} -> {type(event.error).__name__ if event.error else _form(event.response)}"
