"""Fixtures for what many processes do with one server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.valkey import Valkey

from .processes import Processes
from .tasks import Tally


@pytest.fixture(scope="session")
def _processes() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    processes.end()


@pytest.fixture
def processes(_processes: Processes) -> Iterator[Processes]:
    """Processes that begin with nothing."""
    yield _processes
    _processes.begin_anew()


@pytest.fixture
def tally(valkey: Valkey, namespace: str) -> Iterator[Tally]:
    """Numbers on the shared server, which every process can count and see."""
    with valkey.client() as client:
        yield Tally(client, namespace)
