"""Listeners and threads for each test that asks for them."""

from collections.abc import Iterator

import pytest

from daxlite.calls.listeners import add_change_listener, remove_change_listener
from tests.calls.listening import ChangeRecorder, ReadRecorder, listening
from tests.calls.threads import Threads


@pytest.fixture
def changes() -> Iterator[ChangeRecorder]:
    """A change listener that hears of every change."""
    made = ChangeRecorder()
    add_change_listener(made)
    yield made
    remove_change_listener(made)


@pytest.fixture
def reads() -> Iterator[ReadRecorder]:
    """A read listener that hears of every read of the test."""
    made = ReadRecorder()
    with listening(made):
        yield made


@pytest.fixture
def threads() -> Iterator[Threads]:
    """Threads that share a client."""
    made = Threads()
    yield made
    made.dynamodb.release()
