"""The garbage collector, held off while a test counts or interrupts steps: what it calls is of other tests."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def held_off() -> Iterator[None]:
    """No collection within: one would call the callbacks of libraries (Hypothesis has one) and the finalizers of what
    earlier tests left, in the midst of the steps that a test counts."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def profiled(note: Callable[..., None]) -> Iterator[None]:
    """Within, this function is told of each function that this thread enters, and not of the collector's."""
    before = sys.getprofile()
    with held_off():
        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(before)
