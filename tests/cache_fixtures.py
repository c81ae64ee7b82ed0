"""Every test that makes a cache is also a test of the cache's invariants."""

from collections.abc import Iterator
from typing import Any

import pytest

from daxlite import Cache
from tests import invariants


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults_expected: makes daxlite fail on purpose, so stats().faults may count")


@pytest.fixture(autouse=True)
def invariants_hold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Checks each cache that the test made once the test is over."""
    made: list[Cache] = []
    make = Cache.__init__

    def remember(self: Cache, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(Cache, "__init__", remember)
    yield
    for cache in made:
        invariants.check(cache)
        if request.node.get_closest_marker("faults_expected") is None:
            assert cache.stats().faults == 0, "daxlite failed, and hid it"
