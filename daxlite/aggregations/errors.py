"""What can be wrong with a stored value, a result, or an argument."""


class Corrupt(ValueError):  # noqa: N818 - it says what the bytes are
    """What came from Redis is not a value of ours, or not one that we could have written here. It counts as a miss."""


class Unstorable(TypeError):  # noqa: N818 - it says what the result is
    """A result that could not be given back exactly as it is. The message names its type, never its content."""


class Unkeyable(TypeError):  # noqa: N818 - it says what the argument is
    """An argument that cannot be a part of a key. The message names its type, never its content."""


def type_name(kind: type) -> str:
    """How a message names a type.

    >>> import decimal
    >>> type_name(int), type_name(decimal.Decimal)
    ('int', 'decimal.Decimal')
    """
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
