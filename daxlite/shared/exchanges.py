"""Commands on their way to a server, what they may take, and what becomes of them: for asyncio."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import redis


class Lost(redis.ConnectionError):
    """Commands of which no replies will come."""

    def __init__(self, error: Exception | None, event: object = None, *, may_ask_again: bool = False) -> None:
        """error: what happened; None where the server is not to blame. event: the same for all whom it befell.
        may_ask_again: the connection had been open before, and this was not the command that it waited for."""
        super().__init__(error)
        self.error = error
        self.event = event
        self.may_ask_again = may_ask_again


class Budget:
    """The seconds that a step may take, all in all; they begin with its first command."""

    __slots__ = ("deadline", "seconds")

    def __init__(self, seconds: float | None) -> None:
        """None: without end."""
        self.seconds = seconds
        self.deadline: float | None = None
        """By the loop's clock; None as long as nothing was sent."""

    def begin(self, now: float) -> float:
        """When it ends."""
        if self.deadline is None:
            self.deadline = math.inf if self.seconds is None else now + self.seconds
        return self.deadline


class Exchange:
    """Commands that are sent together, and their replies."""

    __slots__ = ("budget", "deadline", "future", "left", "packed", "replies", "was_open")

    def __init__(self, packed: Sequence[Any], count: int, budget: Budget, future: "asyncio.Future[list[Any]]") -> None:
        self.packed = packed
        self.left = count
        self.budget = budget
        self.deadline = math.inf
        self.future = future
        self.replies: list[Any] = []
        self.was_open = False

    def lose(self, error: Exception | None, event: object, *, is_late: bool = False) -> None:
        """Tell who waits that nothing comes."""
        if not self.future.done():
            self.future.set_exception(Lost(error, event, may_ask_again=self.was_open and not is_late))
