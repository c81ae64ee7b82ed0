"""A world of one process without a server, in place of `scripted.World`."""

from collections.abc import Callable
from typing import Any

from daxlite.aggregations import AggregationCache, AggregationConfig
from daxlite.aggregations.homes.local_server import LocalServer
from tests.aggregations.scripted import Clock, Process, ScriptedDriver


class LocalProcess(Process):
    """As Process, with an aggregation cache of its own."""

    def __init__(self, clock: Clock, *, random: Callable[[], float] = lambda: 0.0, **config: Any) -> None:
        self.clock = clock
        config = {name: value for name, value in config.items() if (name, value) != ("near_bytes", 0)}
        self.cache = AggregationCache.local(
            "shop", AggregationConfig(**config), clock=clock, wall_clock=clock, random=random
        )
        self.driver = ScriptedDriver()
        self.driver.clock, self.driver.asleep, self.driver.background = clock, lambda: None, []
        self.cache._driver = self.driver
        self.cache._outbox.attend = lambda: None  # type: ignore[method-assign]  # no thread


class Keys:
    """The keys of a local server, as those of `scripted.Server`."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server

    @property
    def data(self) -> list[str]:
        return list(self.server.kept)

    def keys(self, kind: str = "") -> list[str]:
        return [key for key in self.data if key.endswith(kind) and self.server.find(key)]

    def evict(self, key: str) -> None:
        self.server.kept.pop(key, None)


class LocalWorld:
    """A clock, and one process."""

    server: Keys

    def __init__(self) -> None:
        self.clock = Clock()

    def process(self, **settings: Any) -> LocalProcess:
        assert not hasattr(self, "server"), "there is one process alone"
        process = LocalProcess(self.clock, **settings)
        self.server = Keys(process.cache._home.server)
        return process
