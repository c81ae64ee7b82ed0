"""After os.fork() the child has an empty cache that works, and the parent has its own as it was.

Only the thread that forks goes on in the child. What other threads were doing with the cache is left half done there.
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
from tests.forking import PATIENCE, end_child, in_child
from tests.scripted_client import ITEM, KEY, TABLE, Params, ScriptedClient, made, page

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # Python 3.12 and later warn of what is tested here: a fork while other threads run.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]

NEW = {**ITEM, "note": {"S": "new"}}


def cached_client(**given: Any) -> ScriptedClient:
    answers = {"GetItem": made(Item=ITEM), "Query": page(ITEM), "Scan": page(ITEM), "PutItem": made(Attributes=ITEM)}
    return ScriptedClient(**{**answers, **given})


def use(client: ScriptedClient) -> None:
    """What a cache is for, from empty: misses, hits, writes, changes of a table, and all of it counted."""
    cache, before = client.cache, client.cache.stats()
    assert (before.total.entries, before.total.bytes, before.in_flight) == (0, 0, 0)
    for read in (client.get, client.query, lambda: client("Scan")):
        assert not client.is_hit(read())
        assert client.is_hit(read())
    client.put(NEW)
    found = client.get()
    assert client.is_hit(found)
    assert found["Item"] == NEW
    assert not client.is_hit(client.query()), "a write drops queries"
    cache.invalidate(TABLE)
    assert not client.is_hit(client.get()), "the table's own stamp is watched"
    cache.clear()
    assert cache.stats().total.entries == 0
    assert cache.stats().faults == 0
    invariants.check(cache._memory)


def test_the_child_begins_empty_and_works() -> None:
    client = cached_client()
    client.get()
    client.query()
    before = client.cache.stats()
    in_child(lambda: use(client))
    assert client.cache.stats() == before
    assert client.is_hit(client.get())
    assert client.is_hit(client.query())


def test_a_grandchild_and_a_child_of_multiprocessing_begin_empty_and_work() -> None:
    client = cached_client()
    client.get()

    def check() -> None:
        client.get()
        in_child(lambda: use(client))
        assert client.is_hit(client.get())

    in_child(check)
    process = multiprocessing.get_context("fork").Process(target=use, args=(client,), daemon=True)
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0


def test_every_cache_is_empty_in_the_child() -> None:
    clients = [cached_client() for _ in range(3)]
    for client in clients:
        client.get()
    in_child(lambda: [use(client) for client in clients])


def elsewhere(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_lock_that_another_thread_holds_is_not_inherited() -> None:
    client = cached_client()
    client.get()
    held, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with client.memory._state.locked():
            held.set()
            enough.wait(PATIENCE)

    thread = elsewhere(hold)
    assert held.wait(PATIENCE)
    try:
        in_child(lambda: use(client))
        assert not client.memory._state._lock._mutex.acquire(blocking=False), "in the parent it is held as before"
    finally:
        enough.set()
        thread.join(PATIENCE)
    assert client.is_hit(client.get())


@pytest.mark.parametrize("read", [ScriptedClient.get, ScriptedClient.query], ids=["get", "query"])
def test_a_read_of_another_thread_is_not_joined(read: Callable[[ScriptedClient], Any]) -> None:
    """In the child it never lands."""
    arrived, enough = threading.Event(), threading.Event()

    def wait(answer: dict[str, Any]) -> Callable[[Params], dict[str, Any]]:
        def reply(params: Params) -> dict[str, Any]:
            if threading.current_thread() is not threading.main_thread():
                arrived.set()
                enough.wait(PATIENCE)
            return dict(answer)

        return reply

    client = cached_client(GetItem=wait(made(Item=ITEM)), Query=wait(page(ITEM)))
    thread = elsewhere(lambda: read(client))
    assert arrived.wait(PATIENCE)
    try:
        in_child(lambda: use(client))
        assert client.cache.stats().in_flight == 1
    finally:
        enough.set()
        thread.join(PATIENCE)
    assert client.is_hit(read(client)), "the parent's reader landed, and stored what it read"


@pytest.mark.parametrize("operation", ["GetItem", "Query", "PutItem"])
def test_a_call_during_which_the_process_forks_ends_well_on_both_sides(operation: str) -> None:
    """In the child it may have missed a change, so it stores nothing; connections are not the matter of this test."""
    reading, writing = os.pipe()
    is_child = False

    def fork(params: Params) -> dict[str, Any]:
        nonlocal is_child
        client.dynamodb.answers[operation] = answer
        if os.fork() == 0:
            is_child = True
            signal.alarm(PATIENCE)
        return answer

    answer = (
        page(ITEM) if operation == "Query" else made(Item=ITEM) if operation == "GetItem" else made(Attributes=ITEM)
    )
    client = cached_client(**{operation: fork})
    call = {"GetItem": client.get, "Query": client.query, "PutItem": lambda: client.put(NEW)}[operation]

    def check() -> None:
        invariants.check(client.memory)
        use(client)

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
    assert client.cache.stats().total.entries == 1
    assert client.cache.stats().in_flight == 0


def test_a_table_that_another_thread_is_about_to_make_is_reached_by_changes() -> None:
    """The fork comes between two steps of State.table."""
    client = cached_client()
    state = client.memory._state
    halfway, enough = threading.Event(), threading.Event()

    class Slow(dict[Any, Any]):
        def setdefault(self, *args: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                halfway.set()
                enough.wait(PATIENCE)
            return super().setdefault(*args)

    state._at = Slow()
    thread = elsewhere(lambda: client.dispatcher.context.table(TABLE))
    assert halfway.wait(PATIENCE)

    def check() -> None:
        client.get()
        assert client.is_hit(client.get())
        client.memory.apply(Change(client.dispatcher.context.table(TABLE).place, KEY))
        assert not client.is_hit(client.get()), "a change does not reach the table: it is stale for good"

    try:
        in_child(check)
    finally:
        enough.set()
        thread.join(PATIENCE)
    client.get()


def test_what_settled_in_the_parent_settles_in_the_child() -> None:
    """The program that goes on in the child has seen its write return: an older state would be one too old (P2)."""
    client = cached_client(DeleteItem=made())
    client("DeleteItem", Key=KEY)

    def check() -> None:
        client.get()
        assert client.dynamodb.last_params("ConsistentRead") is True

    in_child(check)


def test_a_flight_from_before_the_fork_leaves_no_mark() -> None:
    client = cached_client()
    table = client.dispatcher.context.table(TABLE)
    key = item_key(KEY)
    with client.memory.read_flight(table, ItemRead(key)) as flight, client.memory.write_flight(table, key) as write:

        def check() -> None:
            flight.fill(flight.item(key, ITEM))
            assert client.cache.stats().total.entries == 0, "what changed since, this process cannot know"
            write.apply(Change(table.place, KEY, new=NEW))
            assert client.cache.stats().total.entries == 0
            flight.__exit__()
            write.__exit__()
            invariants.check(client.memory)

        in_child(check)
        flight.fill(flight.item(key, ITEM))
    assert client.is_hit(client.get())
