"""What stand-ins for boto3's objects have in common: transparent proxies, made by wrapt, of version 1.17 or 2.

Of wrapt's classes only ObjectProxy is in both versions. It passes `iter()` on, so that a client would seem to be
iterable; clients and sessions are not.
"""

from typing import TYPE_CHECKING, Any, NoReturn

import wrapt

from .cache import Cache

if TYPE_CHECKING:
    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    _ObjectProxy = wrapt.ObjectProxy  # has no type parameters in wrapt 1


class StandIn(_ObjectProxy):
    """Looks like the object that it stands for. Attributes whose names begin with `_self_` are its own."""

    def __init__(self, thing: object, cache: Cache) -> None:
        super().__init__(thing)
        self._self_cache = cache

    __iter__ = None  # type: ignore[assignment]  # how Python spells that there is none

    def __repr__(self) -> str:
        return f"<daxlite: {self.__wrapped__!r}>"

    def __copy__(self) -> Any:
        self.__reduce__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        self.__reduce__()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"cannot copy or pickle {self!r}, which has connections of its own; share it in this process, and make "
            "another one in each other process"
        )

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__reduce__()
