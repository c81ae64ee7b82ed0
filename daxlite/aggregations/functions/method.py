"""Cached functions as methods."""

import functools
from typing import Any


class CachedMethod:
    """A cached function bound to an object, which is the first of its arguments.

    If the cached function is a coroutine function, the results of all calls here are awaitables.
    """

    def __init__(self, function: Any, instance: Any) -> None:
        functools.update_wrapper(self, function, updated=())
        self.__self__ = instance
        self.function = function

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self.function.__name__)  # the same as for a bound method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self.__self__, *args, **kwargs)

    def refresh(self, *args: Any, **kwargs: Any) -> Any:
        """See CachedFunction.refresh."""
        return self.function.refresh(self.__self__, *args, **kwargs)

    def peek(self, *args: Any, **kwargs: Any) -> Any:
        """See CachedFunction.peek."""
        return self.function.peek(self.__self__, *args, **kwargs)

    def invalidate(self, *args: Any, **kwargs: Any) -> Any:
        """See CachedFunction.invalidate."""
        return self.function.invalidate(self.__self__, *args, **kwargs)

    def clear(self) -> Any:
        """See CachedFunction.clear: clears the results for all objects, not only for this one."""
        return self.function.clear()
