"""What a test counts does not depend on when the garbage collector runs."""

import gc
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from tests.collector import held_off
from tests.interrupting import interrupted

ran: list[str] = []


def note(phase: str, info: dict[str, Any]) -> None:
    ran.append(phase)


@pytest.fixture
def eager() -> Iterator[None]:
    """A collector that runs whenever a container is made, and calls a function, as Hypothesis has one."""
    before = gc.get_threshold()
    gc.callbacks.append(note)
    gc.set_threshold(1)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(note)
    ran.clear()


def work() -> list[list[int]]:
    return [[number] for number in range(1000)]


@pytest.mark.usefixtures("eager")
def test_the_collector_is_held_off_while_steps_are_counted() -> None:
    work()
    assert ran, "the collector is eager"
    with held_off():
        ran.clear()
        work()
        assert not ran
    assert gc.isenabled()


@pytest.mark.usefixtures("eager")
def test_no_interruption_is_spent_on_what_the_collector_calls() -> None:
    def is_the_callback(frame: FrameType) -> bool:
        return frame.f_code is note.__code__

    assert interrupted(work, is_the_callback, 0) is None


@pytest.mark.usefixtures("eager")
def test_where_it_was_off_it_stays_off() -> None:
    gc.disable()
    try:
        with held_off():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
