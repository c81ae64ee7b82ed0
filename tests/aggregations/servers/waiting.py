"""Waiting for what has to come true, though not for ever."""

import time
from collections.abc import Callable

from daxlite.aggregations import AggregationCache


def wait_until(what: str, holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until it holds. It fails after these seconds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"waited for {seconds} s in vain: {what}"
        time.sleep(0.005)


def listen(cache: AggregationCache) -> None:
    """Have a cache listen, and wait until it does."""
    cache._near.now()
    wait_until("it listens", lambda: cache.stats().is_listening)
