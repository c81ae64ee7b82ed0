"""Gates: opened once for all who wait, and never by waiting for them."""

import threading

from daxlite.cache.latch import Latch


def test_all_who_wait_get_through_and_so_do_those_who_come_later() -> None:
    latch = Latch()
    threads = [threading.Thread(target=latch.wait, args=(60,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    latch.set()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    latch.wait(60)
    latch.set()
    latch.wait(60)


def test_a_gate_that_nobody_opens_is_waited_at_no_longer_than_asked() -> None:
    latch = Latch()
    latch.wait(0.01)
    latch.wait(0.0)
    latch.set()
    latch.wait(60)


def test_one_who_is_interrupted_as_he_gets_through_does_not_leave_the_others_waiting() -> None:
    latch = Latch()
    latch.set()
    assert latch._lock.acquire(timeout=0), "as he had it"
    latch._is_open = False
    thread = threading.Thread(target=latch.wait, args=(60,))
    thread.start()
    latch._is_open = True
    thread.join(20)
    assert not thread.is_alive()
