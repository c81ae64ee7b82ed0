"""After os.fork() the child has an empty cache that works, and the parent has its own as it was.

Only the thread that forks goes on in the child: whatever the others were doing with the cache is left half done there.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from daxlite.core.changes import Change
from daxlite.core.requests import ItemRead
from daxlite.core.schema import item_key
from tests import invariants
from tests.calls.scripted import ITEM, KEY, TABLE, Lab, Params, made, page
from tests.forking import PATIENCE, end_child, in_child

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # Python 3.12 and later warn of what is tested here: a fork while other threads run.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]

NEW = {**ITEM, "note": {"S": "new"}}


def laboratory(**given: Any) -> Lab:
    answers = {"GetItem": made(Item=ITEM), "Query": page(ITEM), "Scan": page(ITEM), "PutItem": made(Attributes=ITEM)}
    return Lab(**{**answers, **given})


def use(lab: Lab) -> None:
    """What a cache is for, from empty: misses, hits, writes, changes of a table, and all of it counted."""
    cache, before = lab.cache, lab.cache.stats()
    assert (before.total.entries, before.total.bytes, before.in_flight) == (0, 0, 0)
    for read in (lab.get, lab.query, lambda: lab("Scan")):
        assert not lab.is_hit(read())
        assert lab.is_hit(read())
    lab.put(NEW)
    found = lab.get()
    assert lab.is_hit(found)
    assert found["Item"] == NEW
    assert not lab.is_hit(lab.query()), "a write drops queries"
    cache.invalidate(TABLE)
    assert not lab.is_hit(lab.get()), "the table's own stamp is watched"
    cache.clear()
    assert cache.stats().total.entries == 0
    assert cache.stats().faults == 0
    invariants.check(cache)


def test_the_child_begins_empty_and_works() -> None:
    lab = laboratory()
    lab.get()
    lab.query()
    before = lab.cache.stats()
    in_child(lambda: use(lab))
    assert lab.cache.stats() == before
    assert lab.is_hit(lab.get())
    assert lab.is_hit(lab.query())


def test_so_does_a_grandchild_and_a_child_of_multiprocessing() -> None:
    lab = laboratory()
    lab.get()

    def check() -> None:
        lab.get()
        in_child(lambda: use(lab))
        assert lab.is_hit(lab.get())

    in_child(check)
    process = multiprocessing.get_context("fork").Process(target=use, args=(lab,), daemon=True)
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0


def test_every_cache_begins_anew() -> None:
    laboratories = [laboratory() for _ in range(3)]
    for lab in laboratories:
        lab.get()
    in_child(lambda: [use(lab) for lab in laboratories])


def elsewhere(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_lock_that_another_thread_holds_is_not_inherited() -> None:
    lab = laboratory()
    lab.get()
    held, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with lab.cache._state.lock.mutex, lab.cache._state.lock:
            held.set()
            enough.wait(PATIENCE)

    thread = elsewhere(hold)
    assert held.wait(PATIENCE)
    try:
        in_child(lambda: use(lab))
        assert not lab.cache._state.lock._mutex.acquire(blocking=False), "in the parent it is held as before"
    finally:
        enough.set()
        thread.join(PATIENCE)
    assert lab.is_hit(lab.get())


@pytest.mark.parametrize("read", [Lab.get, Lab.query], ids=["get", "query"])
def test_a_read_of_another_thread_is_not_joined(read: Callable[[Lab], Any]) -> None:
    """In the child it never lands."""
    arrived, enough = threading.Event(), threading.Event()

    def wait(answer: dict[str, Any]) -> Callable[[Params], dict[str, Any]]:
        def reply(params: Params) -> dict[str, Any]:
            if threading.current_thread() is not threading.main_thread():
                arrived.set()
                enough.wait(PATIENCE)
            return dict(answer)

        return reply

    lab = laboratory(GetItem=wait(made(Item=ITEM)), Query=wait(page(ITEM)))
    thread = elsewhere(lambda: read(lab))
    assert arrived.wait(PATIENCE)
    try:
        in_child(lambda: use(lab))
        assert lab.cache.stats().in_flight == 1
    finally:
        enough.set()
        thread.join(PATIENCE)
    assert lab.is_hit(read(lab)), "the parent's reader landed, and stored what it read"


@pytest.mark.parametrize("operation", ["GetItem", "Query", "PutItem"])
def test_a_call_in_whose_midst_the_process_forks_ends_well_on_both_sides(operation: str) -> None:
    """In the child it may have missed a change, so it stores nothing; a connection shared by both is not our matter."""
    reading, writing = os.pipe()
    is_child = False

    def fork(params: Params) -> dict[str, Any]:
        nonlocal is_child
        lab.dynamodb.answers[operation] = answer
        if os.fork() == 0:
            is_child = True
            signal.alarm(PATIENCE)
        return answer

    answer = (
        page(ITEM) if operation == "Query" else made(Item=ITEM) if operation == "GetItem" else made(Attributes=ITEM)
    )
    lab = laboratory(**{operation: fork})
    call = {"GetItem": lab.get, "Query": lab.query, "PutItem": lambda: lab.put(NEW)}[operation]

    def check() -> None:
        invariants.check(lab.cache)
        use(lab)

    try:
        call()
    finally:
        if is_child:
            end_child(check, writing)
    os.close(writing)
    with open(reading) as pipe:
        trouble = pipe.read()
    _, status = os.wait()
    assert trouble == ""
    assert os.waitstatus_to_exitcode(status) == 0
    assert lab.cache.stats().total.entries == 1
    assert lab.cache.stats().in_flight == 0


def test_a_table_that_another_thread_is_about_to_make_is_reached_by_changes() -> None:
    """The fork comes between two steps of State.table."""
    lab = laboratory()
    state = lab.cache._state
    halfway, enough = threading.Event(), threading.Event()

    class Slow(dict[Any, Any]):
        def setdefault(self, *args: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                halfway.set()
                enough.wait(PATIENCE)
            return super().setdefault(*args)

    state._places = Slow()
    thread = elsewhere(lambda: lab.caller.context.table(TABLE))
    assert halfway.wait(PATIENCE)

    def check() -> None:
        lab.get()
        assert lab.is_hit(lab.get())
        lab.cache.apply(Change(lab.caller.context.table(TABLE).id, KEY))
        assert not lab.is_hit(lab.get()), "a change does not reach the table: it is stale for good"

    try:
        in_child(check)
    finally:
        enough.set()
        thread.join(PATIENCE)
    lab.get()


def test_what_settled_in_the_parent_settles_in_the_child() -> None:
    """The program that goes on in the child has seen its write return: an older state would be one too old (P2)."""
    lab = laboratory(DeleteItem=made())
    lab("DeleteItem", Key=KEY)

    def check() -> None:
        lab.get()
        assert lab.dynamodb.last_params("ConsistentRead") is True

    in_child(check)


def test_a_flight_from_before_the_fork_leaves_no_mark() -> None:
    lab = laboratory()
    table = lab.caller.context.table(TABLE)
    key = item_key(KEY)
    with lab.cache.flight(table, ItemRead(key)) as flight:

        def check() -> None:
            flight.fill_item(key, ITEM)
            assert lab.cache.stats().total.entries == 0, "what changed since, this process cannot know"
            flight.apply(Change(table.id, KEY, new=NEW))
            assert lab.cache.stats().total.entries == 0
            flight.__exit__()
            invariants.check(lab.cache)

        in_child(check)
        flight.fill_item(key, ITEM)
    assert lab.is_hit(lab.get())
