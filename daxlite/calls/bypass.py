"""A way around the cache, for the calls that need one."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final


class Bypassed(Exception):  # noqa: N818 - a decision, not an error
    """A read goes straight to DynamoDB; the reason is counted."""


_bypassing: Final = ContextVar("daxlite_bypassing", default=False)


@contextmanager
def bypass() -> Iterator[None]:
    """Within, reads go straight to DynamoDB and are not stored. Writes invalidate as ever.

    It holds for the thread or the task that enters it.

    >>> with bypass():
    ...     is_bypassing()
    True
    >>> is_bypassing()
    False
    """
    token = _bypassing.set(True)
    try:
        yield
    finally:
        _bypassing.reset(token)


is_bypassing: Final = _bypassing.get
