"""A way around the cache, for the calls that need one."""

import weakref
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Final, TypeVar, cast

from ..core.checks import check_decorated

F = TypeVar("F", bound=Callable[..., Any])


class Bypassed(Exception):  # noqa: N818 - a decision, not an error
    """A read goes straight to DynamoDB; the reason is counted."""


class _Entered:
    """That a context is within a `with bypass()`.

    An exception of a signal handler may strike as the block is left, before `__exit__` has done anything. The block's
    own object then dies with the block, so by its death it is known that the block is over. A task that was started
    within the block has a copy of the context and goes on bypassing: for it a regular exit keeps the object alive.
    """

    __slots__ = ("block", "kept", "outer")

    def __init__(self, block: "bypass", outer: "_Entered | None") -> None:
        self.block = weakref.ref(block)
        self.outer = outer
        self.kept: bypass | None = None


_entered: Final[ContextVar[_Entered | None]] = ContextVar("daxlite_bypass", default=None)

may_bypass: Final = _entered.get
"""Whether `is_bypassing` has to be asked at all: one call of C's, for every hit."""


class bypass(ContextDecorator):  # noqa: N801 - used like a function
    """Within, reads go straight to DynamoDB and are not stored. Writes invalidate as ever.

    It holds for the thread or the task that enters it, and for the tasks that are started within. As a decorator it
    takes functions and coroutine functions, and raises TypeError for anything else.

    >>> with bypass():
    ...     is_bypassing()
    True
    >>> is_bypassing()
    False
    """

    def _recreate_cm(self) -> "bypass":  # as a decorator: each call of the function enters a block of its own
        return bypass()

    def __call__(self, func: F) -> F:
        check_decorated("bypass", func)  # of a generator only the making would be within
        if not iscoroutinefunction(func):
            return super().__call__(func)

        @wraps(func)
        async def decorated(*args: Any, **kwargs: Any) -> Any:
            with bypass():
                return await func(*args, **kwargs)

        return cast(F, decorated)

    def __enter__(self) -> None:
        self._within = _Entered(self, _entered.get())
        _entered.set(self._within)

    def __exit__(self, *exception: Any) -> None:
        self._within.kept = self
        _entered.set(self._within.outer)


def is_bypassing() -> bool:
    """Whether reads of this context go straight to DynamoDB."""
    within = first = _entered.get()
    while within is not None and within.block() is None:
        within = within.outer
    if within is not first:  # so that hits need not ask any more
        _entered.set(within)
    return within is not None
