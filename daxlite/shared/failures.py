"""What may go wrong on the way to Redis, and what callers see of it: Unavailable."""

import signal
import traceback
from types import CodeType
from typing import Any, Final

import redis
from redis.exceptions import RedisClusterException, RedisError

from .breaker import Breaker

FAILURES: Final = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What redis-py raises where the fault is not in the program."""
# These say that the server cannot be reached or will not answer for a while. Others, such as a full memory or a
# replica that takes no writes, come at once and cost no time.
OUTAGES: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.ClusterError,
    RedisClusterException,
    OSError,
)


HEADER_REFUSED: Final = "near '#'"
"""What a server's error says that does not know what `scripts.ALLOW_OOM` means."""


class Unavailable(Exception):  # noqa: N818 - what is meant is a state, of which there may be no error at all
    """Redis did not do it. `cause` is redis-py's error; None where the circuit breaker did not even ask."""

    def __init__(self, cause: Exception | None = None) -> None:
        super().__init__("Redis is left alone after it failed several times" if cause is None else str(cause))
        self.cause = cause


def surfaced(error: BaseException) -> BaseException:
    """What an application sees of an error if it wants to see Redis's failures: redis-py's own, not Unavailable."""
    if not isinstance(error, Unavailable):
        return error
    return error.cause if error.cause is not None else redis.ConnectionError(str(error))


def failed(breaker: Breaker, error: Exception, what: Any) -> Unavailable:
    """Count a failure at the breaker, and log what is new of it. what: the command, or the commands. Returns the error
    to raise."""
    if is_of_the_header(error):
        breaker.succeeded()
        return Unavailable(error)  # no failure: the script is sent without it
    breaker.errors += 1
    if isinstance(error, OUTAGES):
        breaker.troubles.unanswered(error, what)
        if breaker.failed():
            breaker.troubles.left_alone(error, what)
    else:
        breaker.troubles.refused(error, what)
        if breaker.succeeded():  # it answered, if only to refuse
            breaker.troubles.answers_again()
    return Unavailable(error)


def is_of_the_header(error: BaseException | None) -> bool:
    """Whether a server refused a script because it does not know the header before it."""
    return isinstance(error, redis.ResponseError) and HEADER_REFUSED in str(error)


def answered(breaker: Breaker, what: Any) -> None:
    """Note at the breaker that a command, or several, were answered."""
    if breaker.succeeded():
        breaker.troubles.answers_again()
    if breaker.troubles.are_there:
        breaker.troubles.answered(what)


def checked(replies: list[Any]) -> list[Any]:
    """The replies. Raises the first error among them."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def raised_by_a_signal_handler(error: BaseException, outer: BaseException | None = None) -> BaseException | None:
    """What a signal handler of the application raised, where an error is that, or where redis-py made the error of it:
    it takes a TimeoutError or an OSError for the socket's. None for all other errors.

    outer: what was being handled already when the command began.
    """
    codes = {code for code in map(_code_of, _handlers()) if code is not None}
    seen: BaseException | None = error
    while codes and seen is not None and seen is not outer:
        if any(frame.f_code in codes for frame, _ in traceback.walk_tb(seen.__traceback__)):
            return seen
        seen = seen.__context__
    return None


def _handlers() -> list[Any]:
    return [signal.getsignal(number) for number in signal.valid_signals()]


def _code_of(handler: Any) -> CodeType | None:
    if not callable(handler):  # one of signal's numbers, or None
        return None
    function = getattr(handler, "__func__", handler)
    code = getattr(function, "__code__", None) or getattr(type(handler).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None
