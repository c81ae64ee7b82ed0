"""Which core runs what: the clients on one, the servers on others, where there are two and we may choose."""

import contextlib
import os
from collections.abc import Iterator


def _all() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


# As they were given to this process, before anything here narrowed them.
CORES = _all()


def are_apart() -> bool:
    """Whether clients and servers have cores of their own."""
    return len(CORES) > 1


@contextlib.contextmanager
def _only(cores: list[int]) -> Iterator[None]:
    before = _all()
    if are_apart():
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        if are_apart():
            os.sched_setaffinity(0, before)


def for_clients() -> contextlib.AbstractContextManager[None]:
    """What this thread does, and the threads and processes that it starts, run on the core of the clients."""
    return _only(CORES[-1:])


def for_servers() -> contextlib.AbstractContextManager[None]:
    """Processes started here run on the other cores."""
    return _only(CORES[:-1])


def for_threads() -> contextlib.AbstractContextManager[None]:
    """All cores: threads that compete for the interpreter do so on whatever there is."""
    return _only(CORES)
