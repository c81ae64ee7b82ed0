"""Every test that makes a cache is also a test of the cache's invariants. Each cache stands for a process of its own,
but for those that are made within one `process()`."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from daxlite import Cache
from daxlite.cache import peers
from daxlite.cache.memory import MemoryCache
from tests import invariants


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults_expected: makes daxlite fail on purpose, so stats().faults may count")


@contextmanager
def process() -> Iterator[None]:
    """The caches that are made within are those of one process: for as long as they live, they hear of each other's
    changes, and of no others."""
    before, peers.PROCESS = peers.PROCESS, peers.Peers()
    try:
        yield
    finally:
        peers.PROCESS = before


class Apart(peers.Peers):
    """Caches that hear nothing of each other."""

    def _others(self, number: int) -> tuple[()]:
        return ()


@pytest.fixture(autouse=True, scope="session")
def caches_stand_for_processes() -> Iterator[None]:
    """Of the session, so that it holds for the caches of all fixtures, too."""
    before, peers.PROCESS = peers.PROCESS, Apart()
    yield
    peers.PROCESS = before


@pytest.fixture(autouse=True)
def invariants_hold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Checks each cache that the test made once the test is over."""
    made: list[Cache] = []
    memories: list[MemoryCache] = []
    _remember(monkeypatch, Cache, made)
    _remember(monkeypatch, MemoryCache, memories)
    yield
    # One in a cycle lives on until the collector comes by, and is none of the next test's.
    own = {id(memory._state) for memory in memories}
    for number, ref in peers.PROCESS._states.copy().items():
        if id(ref()) in own:
            peers.PROCESS._states.pop(number, None)
    for cache in made:
        cache.close()
    for memory in memories:
        invariants.check(memory)
        if request.node.get_closest_marker("faults_expected") is None:
            assert memory.stats().faults == 0, "daxlite failed, and hid it"


def _remember(monkeypatch: pytest.MonkeyPatch, kind: type, made: list[Any]) -> None:
    make = kind.__init__  # type: ignore[misc]

    def remember(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(kind, "__init__", remember)


@pytest.fixture
def no_collection() -> Iterator[None]:
    """The garbage collector runs only where the test asks for it: what it calls is not the work of an interrupted call.
    It looks at what the test made, and not at the objects of all tests before, which takes long: those that are alive
    now stay out of its sight for good, as in tests/conftest.py."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
