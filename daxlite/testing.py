"""For tests: a process that does not cache for a while, one that caches what a mock answers, and clean caches.

>>> import daxlite.testing
>>> with daxlite.testing.disabled():
...     pass  # here every read goes to DynamoDB

Once this module has been imported, a change of the environment variable DAXLITE_DISABLED takes effect at once. Without
it, the variable is looked at when daxlite is imported and when a client is wrapped.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeVar, cast

from .cache import peers
from .cache.switch import SWITCH, VARIABLE
from .core.checks import check_decorated

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["clean_caches", "disabled", "enabled"]


class _Switched:
    """A block that switches, and a decorator of functions that are such blocks as a whole."""

    _is_on: ClassVar[bool]

    def __enter__(self) -> None:
        block = object()
        # Without an `__init__`, Python says of `@disabled` that "disabled() takes no arguments".
        vars(self).setdefault("_entered", []).append(block)
        SWITCH.enter(block, is_on=self._is_on)

    def __exit__(self, *exception: object) -> None:
        SWITCH.leave(vars(self)["_entered"].pop())

    def __call__(self, function: F) -> F:
        check_decorated(type(self).__name__, function, is_generator_allowed=True)
        decorated: Any

        if inspect.iscoroutinefunction(function):

            async def decorated(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

        elif inspect.isgeneratorfunction(function):  # a fixture

            def decorated(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return (yield from function(*args, **kwargs))

        else:

            def decorated(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

        return cast(F, functools.wraps(function)(decorated))


class disabled(_Switched):  # noqa: N801 - used like a function
    """Within, nothing is cached: every read goes to DynamoDB, and aggregations are computed. Writes invalidate as ever,
    so that what was cached before is true when it is over.

    It holds for the whole process, all threads and tasks, because the code under test may start some; for one thread or
    task alone there is `daxlite.bypass()`. Blocks may be nested, and the one that was entered last decides. As a
    decorator it takes functions, coroutine functions and generator functions, such as fixtures; it raises TypeError for
    anything else.

    >>> @disabled()
    ... def test_something() -> None: ...
    """

    _is_on = False


class enabled(_Switched):  # noqa: N801 - used like a function
    """Within, everything is cached, also what a mock in this process answers, such as moto's `mock_aws`, and also where
    DAXLITE_DISABLED is set. What one mock answered is not answered in the next one.

    It holds for the whole process, and is nested and decorates as `disabled` does.

    >>> with disabled(), enabled():
    ...     pass  # here reads are cached
    """

    _is_on = True


def clean_caches() -> None:
    """Let every cache of this process begin anew: nothing cached, no table known, all counts at zero. Aggregations lose
    what this process keeps of them: the near cache, or all of `AggregationCache.local()`.

    No other process is told, and what a Redis holds stays there. The pytest plugin calls it before each test.

    >>> import daxlite
    >>> cache = daxlite.Cache()
    >>> clean_caches()
    >>> cache.stats().total.hits
    0
    """
    peers.start_over()
    aggregations = sys.modules.get("daxlite.aggregations.base")
    if aggregations is not None:
        aggregations.start_over()


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    """Hear of what Python is about to do, among other things to its environment."""
    if event in _OF_THE_ENVIRONMENT and os.fsdecode(arguments[0]) == VARIABLE:
        SWITCH.look({VARIABLE: os.fsdecode(arguments[1])} if event == _SETS else {})


_SETS: Final = "os.putenv"
_OF_THE_ENVIRONMENT: Final = (_SETS, "os.unsetenv")

# Nothing else tells that `os.environ` is changed, and looking there would cost each hit something.
sys.addaudithook(_hear)
SWITCH.look(os.environ)
