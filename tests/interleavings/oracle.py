"""What must be true of every answer, and of what is left in the cache, by the history of what was really there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import eq
from typing import Any

from hypothesis import strategies as st

from tests import invariants
from tests.differential.canonical import canonical
from tests.interleavings.interleaving import SETTLE_WINDOW, Event, Interleaving
from tests.interleavings.programs import INDEX, KEYS, READS, TABLE, Op, Program
from tests.simulator.conditions import holds, parse_condition
from tests.simulator.expressions import Placeholders
from tests.simulator.history import Call


def _get(key: Any, names: str) -> Op:
    aliases = {"ExpressionAttributeNames": {"#d": "day"}} if "#d" in names else {}
    return Op("GetItem", {"TableName": TABLE, "Key": key, "ProjectionExpression": names, **aliases})


PROJECTED = [_get(key, names) for key in KEYS for names in ("n", "n, #d")]


def check(
    interleaving: Interleaving, data: st.DataObject, program: Program, *, caches: int = 1, is_cold: bool = False
) -> None:
    """Run a program in an order that Hypothesis draws, and judge it."""
    interleaving.reset(program.items, caches=caches, is_cold=is_cold)
    for op in program.warm:
        interleaving.call("warm", op)
    interleaving.run(
        program.threads,
        choose=lambda names: data.draw(st.integers(0, len(names) - 1)),
        choose_replica=lambda call, ticks: data.draw(st.sampled_from(ticks)),
    )
    judge(interleaving)


def judge(interleaving: Interleaving) -> None:
    """P1 to P3 of every read, and P3, P4 and P9 of what is left in the cache."""
    for event in interleaving.events:
        if not event.op.is_write and event.response is not None:
            _judge_read(interleaving, event)
    for cache in interleaving.caches:
        invariants.check(cache._memory)
        assert cache.stats().faults == 0, "daxlite failed, and hid it"
    _judge_what_is_left(interleaving)


def _judge_read(interleaving: Interleaving, event: Event) -> None:
    """P1, P2: a read answers with a state that existed, no older than the last write that ended before it began."""
    op = event.op
    if op.operation == "BatchGetItem":
        _judge_batch(interleaving, event)
        return
    if op.request.get("IndexName") == INDEX:
        since = 0  # global indexes have no strong reads, so no promise but that the state existed
    else:
        since = _last_write(interleaving, event, partial(_shows, op, event.response))
    answers = [
        _form(interleaving.simulator.answer_at(moment, op.operation, op.request))
        for moment in _moments(interleaving, since, event)
    ]
    assert _form(event.response) in answers, f"{_story(interleaving, event)}\nis none of {answers}"


def _judge_batch(interleaving: Interleaving, event: Event) -> None:
    """A batch reads each item at a moment of its own."""
    assert event.response is not None
    asked = event.op.request["RequestItems"][TABLE]
    got = [_form(item) for item in event.response["Responses"].get(TABLE, [])]
    for key in asked["Keys"]:
        request = {"TableName": TABLE, **asked, "Key": key}
        del request["Keys"]
        moments = _moments(interleaving, _last_write(interleaving, event, partial(eq, key)), event)
        answers = [interleaving.simulator.answer_at(moment, "GetItem", request).get("Item") for moment in moments]
        allowed = [None if answer is None else _form(answer) for answer in answers]
        found = [item for item in got if item in allowed]
        if not found:
            assert None in allowed, (
                f"{_story(interleaving, event)}\nlacks {key}, which was there all the time: {allowed}"
            )
        else:
            got.remove(found[0])
    assert not got, f"{_story(interleaving, event)}\nhas what never was: {got}"


def _last_write(interleaving: Interleaving, event: Event, shows: Callable[[Any], bool]) -> int:
    """When the last write was applied that had ended before the call began, of an item that the answer shows or could
    show.

    A write that has not ended yet need not be seen, even if it was applied before one of another item that has.
    """
    return max(
        (
            _applied(other.op, call, key)
            for other in interleaving.events
            if other.op.is_write and other.ended <= event.began
            for key in filter(shows, other.op.keys)
            for call in other.sent
        ),
        default=0,
    )


def _shows(op: Op, response: Any, key: Any) -> bool:
    """Whether an item with this key would be in the answer if it existed."""
    request = op.request
    if "Key" in request:
        return bool(key == request["Key"])
    if "KeyConditionExpression" not in request or "IndexName" in request:
        return True
    condition = request["KeyConditionExpression"]
    if not holds(
        parse_condition("KeyConditionExpression", condition, Placeholders(request, "KeyConditionExpression")), key
    ):
        return False
    is_forward, place = request.get("ScanIndexForward", True), key["sk"]["S"]
    start, last = request.get("ExclusiveStartKey"), response.get("LastEvaluatedKey")
    is_after_start = start is None or (place > start["sk"]["S"] if is_forward else place < start["sk"]["S"])
    is_before_end = last is None or (place <= last["sk"]["S"] if is_forward else place >= last["sk"]["S"])
    return is_after_start and is_before_end


def _applied(op: Op, call: Call, key: Any) -> int:
    """When a call wrote this item: the parts of a batch are applied one by one."""
    if call.operation != "BatchWriteItem" or not call.applied:
        return call.applied
    return [*call.parts, call.applied][op.keys.index(key)]


def _moments(interleaving: Interleaving, since: int, event: Event) -> list[int]:
    return [since, *(moment for moment in interleaving.simulator.moments(TABLE, since, event.ended) if moment > since)]


def _judge_what_is_left(interleaving: Interleaving) -> None:
    """Each entry that is left once all is quiet is the truth. What settling indexes answered is gone by then."""
    interleaving.simulator.clock.advance(SETTLE_WINDOW)
    now = interleaving.simulator.history.now
    kept = [op for op in (*READS, *PROJECTED) if op.operation != "BatchGetItem"]
    answers = [
        pair for client in interleaving.clients for pair in zip(kept, interleaving.hits(client, kept), strict=True)
    ]
    for op, response in answers:
        if response is not None:
            truth = _form(interleaving.simulator.answer_at(now, op.operation, op.request))
            assert _form(response) == truth, f"left in the cache for {op}: {_form(response)}, the truth is {truth}"


def _form(response: Any) -> Any:
    kept = {name: member for name, member in response.items() if name not in ("ResponseMetadata", "ConsumedCapacity")}
    return canonical(kept, {})


def _story(interleaving: Interleaving, event: Event) -> str:
    lines = [f"  {other.began:4}-{other.ended:4} {other.thread}: {other.op}" for other in interleaving.events]
    return "\n".join(["what was called:", *lines, f"{event.thread} {event.op} answered {_form(event.response)}"])
