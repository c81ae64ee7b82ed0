"""A cached function that is a method."""

import functools
from typing import Any


class CachedMethod:
    """A cached function bound to its object, which is the first of its arguments. Of a coroutine function, all that is
    called here is to be awaited."""

    def __init__(self, function: Any, instance: Any) -> None:
        functools.update_wrapper(self, function, updated=())
        self.__self__ = instance
        self._function = function

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self._function.__name__)  # as a bound method is pickled

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(self.__self__, *args, **kwargs)

    def refresh(self, *args: Any, **kwargs: Any) -> Any:
        """As CachedFunction.refresh."""
        return self._function.refresh(self.__self__, *args, **kwargs)

    def peek(self, *args: Any, **kwargs: Any) -> Any:
        """As CachedFunction.peek."""
        return self._function.peek(self.__self__, *args, **kwargs)

    def invalidate(self, *args: Any, **kwargs: Any) -> Any:
        """As CachedFunction.invalidate."""
        return self._function.invalidate(self.__self__, *args, **kwargs)

    def clear(self) -> Any:
        """As CachedFunction.clear: the results for all objects."""
        return self._function.clear()
