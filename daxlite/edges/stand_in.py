"""What stand-ins for boto3's objects have in common: they pass attributes on to the object that they stand for.

It is a small proxy of our own: those of wrapt come with asyncio, which would double what the first `wrap` of a process
takes, and pass special methods on that clients and sessions do not have, so that these would seem to be iterable.
"""

from typing import Any, NoReturn

from .cache import Cache


class StandIn:
    """Looks like the object that it stands for. Its own are attributes whose names begin with `_self_`, and those that
    its class has."""

    def __init__(self, thing: object, cache: Cache) -> None:
        object.__setattr__(self, "__wrapped__", thing)
        self._self_cache = cache

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # for isinstance()
        return type(self.__wrapped__)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return self.__wrapped__.__dict__

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":  # it was never made
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # A test may replace a method of the class, and no more than for this object.
        if name.startswith("_self_") or hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            setattr(self.__wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        if name.startswith("_self_") or hasattr(type(self), name):
            object.__delattr__(self, name)
        else:
            delattr(self.__wrapped__, name)

    def __dir__(self) -> list[str]:
        return dir(self.__wrapped__)

    def __eq__(self, other: object) -> Any:
        return self.__wrapped__ == other

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return f"<daxlite: {self.__wrapped__!r}>"

    def __str__(self) -> str:
        return str(self.__wrapped__)

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
