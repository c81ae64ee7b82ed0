"""Errors about values in Redis."""


class CorruptValue(ValueError):  # noqa: N818 - it says what the bytes are
    """Bytes from Redis that are not a value of daxlite, or not one that this process could have written: a miss."""


class Unstorable(TypeError):  # noqa: N818 - it says what the value is
    """A value that could not be read back exactly as it is. The message names its type, never its content."""


class SharedUnavailable(Exception):  # noqa: N818 - as Unavailable
    """A write was refused before DynamoDB was asked, because the server of the shared tier could not be told of it, as
    `Shared(require_for_writes=True)` wants it. Nothing was written, and the write may be tried again."""


class Unavailable(Exception):  # noqa: N818 - what is meant is a state, of which there may be no error at all
    """Redis did not do it. `cause` is redis-py's error; None where the circuit breaker did not even ask. is_of_writes:
    it answers, but takes no writes now."""

    def __init__(self, cause: Exception | None = None, *, is_of_writes: bool = False) -> None:
        super().__init__("Redis is left alone after it failed several times" if cause is None else str(cause))
        self.cause = cause
        self.is_of_writes = is_of_writes
