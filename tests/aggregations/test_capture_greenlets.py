"""Greenlets that a function spawns belong to its computation, though they have a context of their own.

There are none here: a stand-in has what the real ones have, and runs them by calls. It is shaped after greenlet 3.5,
gevent 26.9 (which notes who spawned a greenlet, unless it is told not to) and eventlet (which does not).
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from contextvars import Context
from types import SimpleNamespace
from typing import Any

import pytest

from daxlite.calls.hearing import hearing
from tests.aggregations.scripted import World, shared_of
from tests.aggregations.test_capture import captured
from tests.calls.test_dependencies import item
from tests.scripted_client import ScriptedClient, answering_client

current: list[Greenlet] = []


class Greenlet:
    """A raw one: its parent is the one in which it was made, unless it is told otherwise."""

    def __init__(self, parent: Greenlet | None) -> None:
        self.parent = parent

    def run(self, call: Callable[[], Any]) -> Any:
        """Switch to it, and back."""
        current.append(self)
        try:
            return Context().run(call)
        finally:
            current.pop()


class Tracked(Greenlet):
    """One of gevent's: its parent is the hub, and it knows who spawned it."""

    def __init__(self, hub: Greenlet) -> None:
        super().__init__(hub)
        self.spawning_greenlet = weakref.ref(current[-1])


class Untracked(Greenlet):
    """With GEVENT_TRACK_GREENLET_TREE=false."""

    spawning_greenlet = None


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Greenlet]:
    monkeypatch.setitem(sys.modules, "greenlet", SimpleNamespace(getcurrent=lambda: current[-1]))
    main = Greenlet(None)
    current.append(main)
    yield Greenlet(main)
    current.clear()
    assert not hearing


@pytest.fixture
def client() -> ScriptedClient:
    return answering_client()


SPAWN: dict[str, Callable[[Greenlet], Greenlet]] = {
    "raw": lambda hub: Greenlet(current[-1]),
    "of gevent": Tracked,
    "of gevent, untracked": Untracked,
    "of eventlet": Greenlet,
}


@pytest.mark.parametrize("way", SPAWN)
@pytest.mark.parametrize("is_served", [True, False], ids=["in a greenlet", "in the thread"])
def test_what_a_greenlet_reads_is_captured_by_the_computation_that_spawned_it(
    world: World, client: ScriptedClient, hub: Greenlet, way: str, is_served: bool
) -> None:
    process = world.process()

    def compute() -> None:
        SPAWN[way](hub).run(lambda: SPAWN[way](hub).run(lambda: client.get() and None))

    runs = Tracked(hub) if is_served else current[0]
    _, tags = runs.run(lambda: captured(process, compute))
    assert tags == shared_of(item())


def test_the_greenlet_of_another_request_is_not_the_computations(
    world: World, client: ScriptedClient, hub: Greenlet
) -> None:
    process, request, other = world.process(), Tracked(hub), Tracked(hub)
    _, tags = request.run(lambda: captured(process, lambda: other.run(lambda: client.get() and None)))
    assert tags == set()


def test_what_may_belong_to_two_computations_belongs_to_both(
    world: World, client: ScriptedClient, hub: Greenlet
) -> None:
    """The greenlet that spawned it is gone: gevent does not know any more whose it is."""
    process, other, found = world.process(), world.process(namespace="other"), []
    first, second, spawner = Tracked(hub), Tracked(hub), Tracked(hub)
    left = spawner.run(lambda: Tracked(hub))
    del spawner

    def one() -> None:
        _, tags = second.run(lambda: captured(other, lambda: left.run(lambda: client.get() and None)))
        found.append(tags)

    _, tags = first.run(lambda: captured(process, one))
    assert found == [tags] == [shared_of(item())]


def test_a_computation_of_another_thread_has_no_part_in_what_may_be_anybodys(
    world: World, client: ScriptedClient, hub: Greenlet
) -> None:
    process, there = world.process(), Greenlet(None)
    left = Untracked(hub)
    _, tags = there.run(lambda: captured(process, lambda: left.run(lambda: client.get() and None)))
    assert tags == set()


def test_a_result_that_a_greenlet_takes_is_captured(world: World, client: ScriptedClient, hub: Greenlet) -> None:
    process = world.process()
    inner = process.cache.cached(name="inner")(lambda: client.get() and None)
    inner()
    _, tags = Tracked(hub).run(lambda: captured(process, lambda: Tracked(hub).run(inner)))
    assert shared_of(item()) <= tags
