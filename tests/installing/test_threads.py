"""`install` and `uninstall` while other threads call, within a signal handler, and across a fork."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient

import daxlite
from daxlite import Cache
from daxlite.edges import installation
from tests.forking import PATIENCE, in_child
from tests.installing.reading import ITEM, NEW, answered, get, new_client, put
from tests.responses import is_hit


@contextmanager
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_it_may_come_and_go_while_threads_call(client: Any, cache: Cache) -> None:
    """Every answer is right, every client of the threads is covered, and nothing is left behind."""
    answered(client)
    before = repr(client.meta.events._emitter._handlers)
    is_over, errors = threading.Event(), []

    def call() -> None:
        try:
            while not is_over.is_set():
                assert get(client)["Item"] == ITEM
                put(client, item=ITEM)
        except BaseException as error:  # noqa: BLE001 - for the test to see
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(3)]
    with switching_often():
        for thread in threads:
            thread.start()
        for _ in range(20):
            daxlite.install(cache)
            for _ in range(3):
                get(client)
            daxlite.uninstall()
        is_over.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert errors == []
    assert cache.stats().faults == 0
    assert cache.stats().total.hits > 0
    assert repr(client.meta.events._emitter._handlers) == before
    assert "_daxlite_route" not in vars(client)


def test_threads_that_call_a_new_client_at_once_get_one_route(cache: Cache) -> None:
    daxlite.install(cache)
    with new_client() as client, switching_often():
        start, routes = threading.Barrier(4), []

        def call() -> None:
            start.wait(PATIENCE)
            get(client)
            routes.append(vars(client)["_daxlite_route"])

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(routes) == 4
        assert len(set(routes)) == 1
        assert client.meta.events._emitter._unique_id_handlers["daxlite-replies"]["count"] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_child_has_it_too_whatever_threads_of_the_parent_were_doing(client: Any, cache: Cache) -> None:
    answered(client)
    daxlite.install(cache)
    get(client)
    method = vars(BaseClient)["_make_api_call"]
    held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with installation.locked():
            held.set()
            is_over.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)

    def check() -> None:
        assert not is_hit(get(client)), "it begins empty"
        assert is_hit(get(client))
        with new_client() as other:
            assert is_hit(get(other)), "which needs the lock"
            put(other)
        assert get(client)["Item"] == NEW
        assert daxlite.install(cache).is_in_place
        daxlite.uninstall()
        assert vars(BaseClient)["_make_api_call"] is not method
        assert not is_hit(get(client))

    in_child(check)
    is_over.set()
    thread.join(PATIENCE)
    assert is_hit(get(client)), "the parent has its own as it was"


def test_a_signal_handler_may_be_the_first_to_call(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """It interrupts the thread that makes the route, within the lock."""
    daxlite.install(cache)
    plain, within = installation.principal_of, []
    with new_client() as client:

        def interrupted(given: Any) -> str:
            if not within:
                within.append(None)
                os.kill(os.getpid(), signal.SIGUSR1)
            return plain(given)

        def handler(*_: Any) -> None:
            within.append(get(client))

        monkeypatch.setattr(installation, "principal_of", interrupted)
        before = signal.signal(signal.SIGUSR1, handler)
        try:
            get(client)
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert within[1]["Item"] == ITEM
        assert is_hit(get(client))
        daxlite.uninstall()
        assert "_daxlite_route" not in vars(client)
        assert "daxlite-replies" not in client.meta.events._emitter._unique_id_handlers


def test_a_function_of_the_application_may_wait_for_a_thread_that_calls(client: Any, cache: Cache) -> None:
    answered(client)

    def principal(given: Any) -> str:
        if given is client:
            thread = threading.Thread(target=get, args=(other,), daemon=True)
            thread.start()
            thread.join(PATIENCE)
            is_done.append(not thread.is_alive())
        return "shop"

    is_done: list[bool] = []
    daxlite.install(cache, principal=principal)
    with new_client() as other:
        get(client)
        assert is_done == [True]
        assert is_hit(get(other))
