"""What can be wrong with an argument."""


class Unkeyable(TypeError):  # noqa: N818 - it says what the argument is
    """An argument that cannot be a part of a key. The message names its type, never its content."""


def type_name(kind: type) -> str:
    """How a message names a type.

    >>> import decimal
    >>> type_name(int), type_name(decimal.Decimal)
    ('int', 'decimal.Decimal')
    """
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
