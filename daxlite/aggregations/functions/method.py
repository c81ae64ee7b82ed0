"""Cached functions as methods."""

import functools
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")
Kept = TypeVar("Kept")
Done = TypeVar("Done")


class CachedMethod(Generic[P, Result, Kept, Done]):
    """A cached function bound to an object, which is the first of its arguments.

    Result, Kept and Done are what a call, `peek` and `invalidate` return: awaitables, if the cached function is a
    coroutine function.
    """

    def __init__(self, function: Any, instance: Any) -> None:
        functools.update_wrapper(self, function, updated=())
        self.__self__ = instance
        self.function = function

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self.function.__name__)  # the same as for a bound method

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result:
        result: Result = self.function(self.__self__, *args, **kwargs)
        return result

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> Result:
        """See CachedFunction.refresh."""
        result: Result = self.function.refresh(self.__self__, *args, **kwargs)
        return result

    def peek(self, *args: P.args, **kwargs: P.kwargs) -> Kept:
        """See CachedFunction.peek."""
        result: Kept = self.function.peek(self.__self__, *args, **kwargs)
        return result

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Done:
        """See CachedFunction.invalidate."""
        result: Done = self.function.invalidate(self.__self__, *args, **kwargs)
        return result

    def clear(self) -> Done:
        """See CachedFunction.clear: clears the results for all objects, not only for this one."""
        result: Done = self.function.clear()
        return result
