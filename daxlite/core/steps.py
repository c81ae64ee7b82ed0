"""Steps: what has to happen outside before an answer is there.

The logic of daxlite does no I/O. It is written as generators that yield steps and receive the replies; a driver takes
the steps, one for threads and one for asyncio:

    steps    Call(GetItem) -->              --> Notify(tags) -->       --> return the response
    driver                 DynamoDB's reply                  (nothing)

A driver raises inside the generator what went wrong outside of it.
"""

from collections.abc import Callable, Collection, Generator, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from .extents import Extent
from .hidden import Hidden
from .tags import Tag

T = TypeVar("T")
Params: TypeAlias = dict[str, Any]
"""A request's parameters, as the application gave them."""
Response: TypeAlias = dict[str, Any]
Command: TypeAlias = tuple[Any, ...]
"""A Redis command as redis-py's execute_command takes it."""


class Server(Protocol):
    """A Redis or Valkey server as both drivers reach it; `shared.connection.Connections` is one."""

    @property
    def is_cluster(self) -> bool: ...

    @property
    def threads(self) -> Any: ...

    @property
    def asyncio(self) -> Any: ...


class Waitable(Protocol):
    """What a follower can wait for; `latch.Latch` is one."""

    def wait(self, timeout: float) -> None: ...

    def add_callback(self, callback: Callable[[], object]) -> None: ...

    def remove_callback(self, callback: Callable[[], object]) -> None: ...


class Invalidated(Protocol):
    """A cache of this process; `cache.memory.MemoryCache` is one."""

    tell: "Tell | None"
    """Tells the processes that share a tier of a change, and returns what they know then; None where there is no
    tier."""

    def fault(self, error: Exception) -> None: ...


class Told(Hidden, Struct, frozen=True):
    """What of a change the processes know already that share a tier."""

    where: object
    """Equal for all who share it: the identity of its keyspace."""
    changed: Mapping[bytes, Extent]
    """By shared tags."""


class Call(Struct, frozen=True):
    """Send a call to DynamoDB. The reply is its response; its error is raised."""

    operation: str
    params: Params

    def __repr__(self) -> str:
        return f"Call({self.operation})"


class Get(Struct, frozen=True):
    """Read keys of Redis. The reply is a list of bytes or None; `shared.connection.Unavailable` is raised."""

    server: Server
    keys: tuple[str, ...]


class Run(Struct, frozen=True):
    """Run Redis commands. The reply is the list of their replies; `shared.connection.Unavailable` is raised."""

    server: Server
    commands: tuple[Command, ...]
    """Each has keys of one slot. None may count on another one's having run before. ("EVAL", script, ...) is sent as
    EVALSHA where the server knows the script."""
    is_urgent: bool = False
    """Whether they are sent even where the circuit breaker is open."""

    def __repr__(self) -> str:
        return f"Run({', '.join(command[0] for command in self.commands)})"


class Compute(Hidden, Struct, frozen=True):
    """Call the application's function. The reply is its result; its exception is raised."""

    call: Callable[[], Any]
    listener: Any
    """Hears of what the function reads; see `calls.listeners.ReadListener`."""


class Sleep(Struct, frozen=True):
    """Let time pass."""

    seconds: float


class Wait(Struct, frozen=True):
    """Wait until another caller's flight has landed, for so many seconds at most."""

    latch: Waitable
    seconds: float


class Spawn(Hidden, Struct, frozen=True):
    """Take other steps in the background. The reply is a function that ends them."""

    steps: "Callable[[], Steps[Any]]"
    when_over: Callable[[], Any]
    """Is called when they are over, however they ended, even if they never began."""


class AboutToRead(Struct, frozen=True):
    """Tell the read listener of this context what is about to be read, before it is looked up or sent."""

    cache: Invalidated
    tags: Mapping[Tag, Extent] | None
    """What the answer depends on, and which extent of it; None where that cannot be told."""
    lagging: Collection[Tag]
    """Those of the tags that are read eventually consistent even when they have just changed."""


class Notify(Struct, frozen=True):
    """Tell all change listeners of this process what changed. The caches of this process are true again already."""

    cache: Invalidated
    tags: Mapping[Tag, Extent] | None
    """What the change bumped, and which extent of it; None where anything at all may have changed."""
    told: Told | None = None
    """What of that has been told at a shared tier; None if nothing has, or that failed."""


Step: TypeAlias = Call | Get | Run | Compute | Sleep | Wait | Spawn | AboutToRead | Notify
Steps: TypeAlias = Generator[Step, Any, T]
Tell: TypeAlias = Callable[[Mapping[Tag, Extent] | None], Steps[Told | None]]
