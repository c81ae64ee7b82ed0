"""What can be wrong with a value that is to be stored in Redis, or that was read from there."""


class CorruptValue(ValueError):  # noqa: N818 - it says what the bytes are
    """What came from Redis is not a value of ours, or not one that this process could have written. It is a miss."""


class Unstorable(TypeError):  # noqa: N818 - it says what the value is
    """A value that could not be given back exactly as it is. The message names its type, never its content."""
