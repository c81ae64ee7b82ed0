"""Errors about values in Redis."""


class CorruptValue(ValueError):  # noqa: N818 - it says what the bytes are
    """Bytes from Redis that are not a value of daxlite, or not one that this process could have written: a miss."""


class Unstorable(TypeError):  # noqa: N818 - it says what the value is
    """A value that could not be read back exactly as it is. The message names its type, never its content."""
