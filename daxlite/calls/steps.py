"""Steps: what has to happen outside before a response is there, yielded by whoever needs it."""

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from msgspec import Struct

from ..cache.flights import Flight

Params: TypeAlias = dict[str, Any]
"""A request's parameters, as the application gave them."""
Response: TypeAlias = dict[str, Any]
Send: TypeAlias = Callable[[str, Params], Response]


class Call(Struct, frozen=True):
    """A call to send. What comes back into the steps is its response, or its error."""

    operation: str
    params: Params


class Wait(Struct, frozen=True):
    """A flight to wait for. An empty response comes back."""

    flight: Flight


Step: TypeAlias = Call | Wait
Steps: TypeAlias = Generator[Step, Response, Response]
