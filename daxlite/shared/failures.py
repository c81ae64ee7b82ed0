"""What may go wrong on the way to Redis, and what callers see of it: Unavailable."""

from typing import Any, Final

import redis
from redis.exceptions import RedisClusterException, RedisError

from .breaker import Breaker
from .errors import Unavailable as Unavailable
from .signal_handlers import raised_by_a_signal_handler as raised_by_a_signal_handler

FAILURES: Final = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What redis-py raises where the fault is not in the program."""
# These say that the server cannot be reached or will not answer for a while. Others, such as a full memory or a
# replica that takes no writes, come at once and cost no time.
OUTAGES: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.ClusterError,
    redis.exceptions.InvalidResponse,
    RedisClusterException,
    OSError,
)

_NO_WRITES: Final = ("MISCONF", "NOREPLICAS", "OOM", "READONLY")

HEADER_REFUSED: Final = "near '#'"
"""What a server's error says that does not know what `script_forms.ALLOW_OOM` means."""


def surfaced(error: BaseException) -> BaseException:
    """What an application sees of an error if it wants to see Redis's failures: redis-py's own, not Unavailable."""
    if not isinstance(error, Unavailable):
        return error
    return error.cause if error.cause is not None else redis.ConnectionError(str(error))


def failed(breaker: Breaker, error: Exception, what: Any) -> Unavailable:
    """Count a failure at the breaker, and log what is new of it. what: the command, or the commands. Returns the error
    to raise."""
    breaker.errors += 1
    if isinstance(error, OUTAGES):
        breaker.troubles.unanswered(error, what)
        breaker.failed()
    else:
        breaker.troubles.answered(())  # it answered, if only to refuse
        breaker.troubles.refused(error, what)
        breaker.succeeded()
    return Unavailable(error, is_of_writes=_is_of_writes(error))


def is_of_the_header(error: BaseException | None) -> bool:
    """Whether a server refused a script because it does not know the header before it."""
    return isinstance(error, redis.ResponseError) and HEADER_REFUSED in str(error)


def answered(breaker: Breaker, what: Any) -> None:
    """Note at the breaker that a command, or several, were answered."""
    breaker.succeeded()
    if breaker.troubles.are_there:
        breaker.troubles.answered(what)


def _is_of_writes(error: BaseException) -> bool:
    """Whether a server takes no writes now, though it answers: a replica, a full memory, a disk or replicas that are
    missing."""
    if isinstance(error, redis.exceptions.ReadOnlyError | redis.exceptions.OutOfMemoryError):
        return True
    return isinstance(error, redis.ResponseError) and str(error).startswith(_NO_WRITES)


def is_break(error: BaseException) -> bool:
    """Whether a connection broke, so that the next one may lead to another server. A connection that could not be had
    because too many are in use broke nothing."""
    return isinstance(error, redis.ConnectionError | OSError) and not isinstance(
        error, redis.exceptions.MaxConnectionsError | TimeoutError
    )


def checked(replies: list[Any]) -> list[Any]:
    """The replies. Raises the first error among them."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
