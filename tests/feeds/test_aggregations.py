"""P6 for computed results: what a feed tells makes them stale, by partition and by range, as own writes do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from daxlite import Shared
from daxlite.aggregations import AggregationCache
from daxlite.calls.listeners import add_change_listener, remove_change_listener
from tests.feeds.world import ANN, BOB, World
from tests.valkey import Valkey

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def made() -> Iterator[World]:
    world = World()
    yield world
    world.close()


class Results:
    """Counts what is computed."""

    def __init__(self, world: World, aggregations: AggregationCache) -> None:
        self.world, self.aggregations, self.computed = world, aggregations, 0
        self.orders_of: Callable[[str], int] = aggregations.cached(ttl=300, name="orders of")(self._orders_of)

        self.sum: Callable[[], int] = aggregations.cached(ttl=300, name="sum")(self._sum)

    def _orders_of(self, owner: str) -> int:
        self.computed += 1
        return int(self.world.by_owner(owner)["Count"])

    def _sum(self) -> int:
        self.computed += 1
        return sum(int(item["n"]["N"]) for item in self.world.query()["Items"])

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """As in a process without an AggregationCache."""
        remove_change_listener(self.aggregations)
        try:
            yield
        finally:
            add_change_listener(self.aggregations)


@contextmanager
def results(world: World, valkey: Valkey | None, namespace: str) -> Iterator[Results]:
    """valkey: None for those of one process."""
    aggregations = AggregationCache.local() if valkey is None else AggregationCache(valkey.url, namespace)
    try:
        yield Results(world, aggregations)
    finally:
        aggregations.close()
        world.cache.close()


@pytest.mark.parametrize("is_local", [False, True])
def test_p6_results_go_stale_by_what_they_read(made: World, valkey: Valkey, namespace: str, is_local: bool) -> None:
    made.start()
    with results(made, None if is_local else valkey, namespace) as found:
        made.simulator.clock.advance(60.0)
        assert (found.orders_of("ann"), found.orders_of("bob"), found.computed) == (1, 0, 2)
        made.others_put(1, **ANN)
        made.read()
        assert (found.orders_of("bob"), found.computed) == (0, 2), "a partition that the change does not touch"
        assert (found.orders_of("ann"), found.computed) == (1, 3)
        made.others_put(2, **BOB)
        made.read()
        assert (found.orders_of("ann"), found.orders_of("bob"), found.computed) == (0, 1, 5)


def test_p6_in_the_namespace_of_a_tier_an_echo_leaves_results_alone(
    made: World, valkey: Valkey, namespace: str
) -> None:
    made.start(shared=Shared(valkey.url, namespace, account=ACCOUNT, budget=5.0))
    with results(made, valkey, namespace) as found:
        made.put_n(1, **ANN)
        assert (found.sum(), found.sum(), found.computed) == (1, 1, 1)
        made.read()
        assert made.counts.echoes == 1
        assert (found.sum(), found.computed) == (1, 1)
        made.others_put(2, **BOB)
        made.read()
        assert (found.sum(), found.computed) == (2, 2)


def test_p6_results_of_another_namespace_hear_of_what_the_tier_knows(
    made: World, valkey: Valkey, namespace: str
) -> None:
    """A process without an AggregationCache writes. Its record is excused, for the tier's namespace knows of it."""
    made.start(shared=Shared(valkey.url, namespace, account=ACCOUNT, budget=5.0))
    with results(made, valkey, f"{namespace}.results") as found:
        assert (found.sum(), found.computed) == (0, 1)
        with found.unheard():
            made.put_n(2, **BOB)
        assert (found.sum(), found.computed) == (0, 1)
        made.read()
        assert made.counts.echoes == 1
        assert (found.sum(), found.computed) == (2, 2)
