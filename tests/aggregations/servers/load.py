"""A load whose answers can be checked: threads ask for numbers that change all the time."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from mmap import mmap
from typing import Any

from daxlite.aggregations import AggregationCache

from .waiting import wait_until

KEYS = 12
READERS = 4


class Numbers:
    """Numbers that only grow, and results computed from them: one each, that depends on it by a tag."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.now = _shared_numbers()
        self.told = _shared_numbers()
        """As of the last change whose invalidation has returned."""

    def ask(self, key: int, cache: AggregationCache | None = None, **options: Any) -> int:
        """The number, through a cache."""
        cache = cache if cache is not None else self.cache
        # Locks that a dead server cannot be asked to give up are over soon after it is back.
        return cache.get_or_compute(
            ("number", key), lambda: self.now[key], tags=[f"number {key}"], ttl=60, lock_ttl=0.3, **options
        )

    def is_known(self, key: int = 0) -> bool:
        """Whether the answer is as it should be by now."""
        return self.ask(key) == self.now[key]

    def change(self, key: int) -> None:
        """One more. Only one thread does so."""
        number = self.now[key] = self.now[key] + 1
        self.cache.invalidate_tags(f"number {key}")
        self.told[key] = number

    def are_cached(self) -> bool:
        """Whether none has to be computed."""
        for key in range(KEYS):
            self.ask(key)
        before = self.cache.stats().total.computations
        for key in range(KEYS):
            self.ask(key)
        return bool(self.cache.stats().total.computations == before)


def _shared_numbers() -> memoryview:
    """One for each key, in memory that a child of this process shares."""
    return memoryview(mmap(-1, 8 * KEYS)).cast("q")


class Load:
    """What the readers saw."""

    def __init__(self) -> None:
        self.asked = 0
        self.wrong: list[str] = []
        self.errors: list[BaseException] = []

    def check(self) -> None:
        """Every answer was right, and none raised."""
        assert not self.errors, self.errors[:3]
        assert not self.wrong, self.wrong[:3]


@contextmanager
def load_on(numbers: Numbers) -> Iterator[Load]:
    """Ask and change in the background, as long as this context lasts, and a hundred times at least."""
    load, enough = Load(), threading.Event()

    def read(seed: int) -> None:
        choice = random.Random(seed)
        while not enough.is_set():
            key = choice.randrange(KEYS)
            least = numbers.told[key]
            try:
                found = numbers.ask(key)
            except BaseException as error:  # noqa: BLE001 - shown by the test
                load.errors.append(error)
                return
            if found < least:
                load.wrong.append(f"number {key} was {found}, and had been {least} before it was asked for")
            load.asked += 1
            time.sleep(0.002)

    def change() -> None:
        for key in itertools.cycle(range(KEYS // 2)):  # the others stay as they are, and are mostly found
            if enough.wait(0.02):
                return
            try:
                numbers.change(key)
            except BaseException as error:  # noqa: BLE001 - shown by the test
                load.errors.append(error)
                return

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(READERS)]
    threads.append(threading.Thread(target=change))
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(enough.set)
        yield load
        wait_until("that is a load", lambda: load.asked > 100 or load.errors, 60.0)
