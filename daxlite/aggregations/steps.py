"""Steps: what has to happen outside before a result is there. The logic yields them; a driver for threads and one for
asyncio take them."""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from msgspec import Struct

from ..shared.stamps import Command

if TYPE_CHECKING:
    from .capture.capture import Capture
    from .engine.flights import ComputeFlight

T = TypeVar("T")


class Get(Struct, frozen=True):
    """Read keys of Redis. A list of bytes or None comes back, or Unavailable is raised."""

    keys: tuple[str, ...]


class Run(Struct, frozen=True):
    """Send commands to Redis. Their replies come back, or Unavailable is raised."""

    commands: tuple[Command, ...]


class Compute(Struct, frozen=True):
    """Call the application's function. Its result comes back, or its exception is raised."""

    call: Callable[[], Any]
    capture: "Capture"


class Sleep(Struct, frozen=True):
    """Let so many seconds pass."""

    seconds: float


class Wait(Struct, frozen=True):
    """Wait until a flight has outcome, though not for longer than so many seconds."""

    flight: "ComputeFlight"
    seconds: float


class Spawn(Struct, frozen=True):
    """Take other steps in the background. A function comes back that ends them."""

    steps: "Callable[[], Steps[Any]]"
    when_over: Callable[[], Any]
    """Is called when they are over, in whatever way, even if they never began."""


Step: TypeAlias = Get | Run | Compute | Sleep | Wait | Spawn
Steps: TypeAlias = Generator[Step, Any, T]
