"""Every test that makes an aggregation cache is also a test of its invariants."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from daxlite.aggregations.base import Base
from daxlite.aggregations.homes.in_process import LocalResults
from daxlite.aggregations.homes.local_server import size_of
from daxlite.cache.clock import Stamp
from daxlite.calls import listeners as watchers
from tests.aggregations.scripted import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def aggregation_invariants_hold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Checks each aggregation cache that the test made once the test is over."""
    made: list[Any] = []
    make = Base.__init__
    running = set(threading.enumerate())

    def remember(self: Base, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(Base, "__init__", remember)
    yield
    for cache in made:
        check(cache)
        if request.node.get_closest_marker("faults_expected") is None:
            assert cache.stats().faults == 0, "daxlite failed, and hid it"
        cache._close()
        assert cache._near.size() == (0, 0)
        if not isinstance(cache._near, LocalResults):
            changes = cache._near._changes
            assert set(changes.stamps) == set(changes.settling), "a stamp is kept that nothing needs"
    for thread in set(threading.enumerate()) - running:
        if thread.name.startswith("daxlite"):
            thread.join(10)
            assert not thread.is_alive(), f"{thread.name} runs on"
    left = [ref() for ref in watchers._listeners.copy().values() if ref() is not None]
    for watcher in left:
        watchers.remove_change_listener(watcher)
    assert not left, "something left open hears of the changes of other tests"


def check(cache: Base) -> None:
    """Fails unless the bytes add up, the stamps and their holders agree, and nothing is under way."""
    assert len(cache._flights) == 0, "a flight that landed can still be joined"
    assert not cache._engine.refreshing, "a key is being refreshed for ever"
    near = cache._near
    if isinstance(near, LocalResults):
        kept = near._server.kept
        assert sum(map(size_of, kept.values())) == kept.currsize <= kept.maxsize
        return
    with near.lock.locked():
        kept = [near._entries[key] for key in list(near._entries)]
        assert sum(one.stored.size for one in kept) == near._entries.currsize <= near._entries.maxsize
        held: Counter[Stamp] = Counter()
        for one in kept:
            assert len(one.stamps) == len(one.stored.tags)
            assert one.tick <= near._changes.now, "a result is from the future"
            held.update(one.stamps)
        held.update(near._changes.settling.values())
        assert set(held) == set(near._changes.stamps.values()), "a stamp is kept that nothing holds, or one is missing"
        for tag, stamp in near._changes.stamps.items():
            assert stamp.tag == tag
            assert stamp.holders == held[stamp]
