"""A stream and its follower, by the clock of the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.feeds.streams.driver import Clock, Driver
from tests.feeds.streams.service import StreamService

Follow = Callable[..., Driver]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_service(clock: Clock) -> Callable[..., StreamService]:
    def make(**settings: Any) -> StreamService:
        return StreamService(clock.wall, **settings)

    return make


@pytest.fixture
def service(make_service: Callable[..., StreamService]) -> StreamService:
    return make_service()


@pytest.fixture
def follow(clock: Clock) -> Follow:
    """A follower of a service that has begun."""

    def make(service: StreamService, **settings: Any) -> Driver:
        driver = Driver(service, clock, **settings)
        assert driver.run(60.0, lambda: driver.reader.has_begun)
        return driver

    return make
