"""Fixtures of the tests of the cache."""

import pytest

from daxlite.cache import flights


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each flight of the test is in a thread of its own."""
    monkeypatch.setattr(flights, "place", object)
