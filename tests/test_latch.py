"""The latch: it opens once for all that wait, and opening it never waits."""

import threading

import pytest

from daxlite.latch import Latch


def test_all_threads_that_wait_get_through_and_so_do_later_ones() -> None:
    latch = Latch()
    threads = [threading.Thread(target=latch.wait, args=(60,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    latch.open()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    latch.wait(60)
    latch.open()
    latch.wait(60)


def test_a_thread_that_gets_through_lets_the_next_one_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Well before the others would look for themselves."""
    monkeypatch.setattr("daxlite.latch.POLL", 600)
    latch = Latch()
    plain, waiting = latch._lock, threading.Semaphore(0)

    class Lock:
        release = plain.release

        def acquire(self, timeout: float) -> bool:
            waiting.release()
            return plain.acquire(timeout=timeout)

    latch._lock = Lock()  # type: ignore[assignment]
    threads = [threading.Thread(target=latch.wait, args=(600,), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert waiting.acquire(timeout=20)
    latch.open()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_a_latch_that_is_not_opened_is_waited_at_no_longer_than_asked() -> None:
    latch = Latch()
    latch.wait(0.01)
    latch.wait(0.0)
    latch.open()
    latch.wait(60)


def test_a_thread_that_is_interrupted_as_it_gets_through_does_not_leave_the_others_waiting() -> None:
    latch = Latch()
    latch.open()
    assert latch._lock.acquire(timeout=0), "as that thread had it"
    latch._is_open = False
    thread = threading.Thread(target=latch.wait, args=(60,))
    thread.start()
    latch._is_open = True
    thread.join(20)
    assert not thread.is_alive()
