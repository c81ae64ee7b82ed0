"""What has come of the application's own call or function so far."""

import logging
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from msgspec import Struct

Surface: TypeAlias = Callable[[BaseException], BaseException]
"""Turns an error of a step into the one that is raised inside of the steps."""

_logger: Final = logging.getLogger("daxlite")


class Progress(Struct, eq=False):
    """The outcome of what the application asked for, kept in case that daxlite fails afterwards.

    The driver writes it; the edge reads it when the steps raise. An error that is not `error` is a fault of daxlite's.
    """

    operation: str | None = None
    """The operation that the application called. Other calls to DynamoDB are daxlite's own."""
    replies: tuple[Any] | None = None
    """The response of that operation, or the result of the application's function."""
    error: BaseException | None = None
    """What DynamoDB, the application's function or a signal handler raised: the application's own."""
    is_sent: bool = False
    """Whether the operation was sent at least once."""

    def __repr__(self) -> str:
        return f"<progress: {self.operation}>"  # without the reply, which is not for logs

    def succeeded(self, reply: Any) -> None:
        """Note a reply that is the application's own."""
        self.replies, self.error = (reply,), None

    def failed(self, error: BaseException) -> None:
        """Note an error that is the application's own."""
        self.replies, self.error = None, error


def log_background(error: BaseException) -> None:
    """Log that steps in the background failed. The error's message is left out, because it may quote an item."""
    _logger.warning("a computation in the background failed with %s", type(error).__name__)
