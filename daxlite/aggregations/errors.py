"""Errors about arguments and results, and how their messages name a type."""


class Unkeyable(TypeError):  # noqa: N818 - it says what the argument is
    """An argument that cannot be part of a key. The message names its type, never its content."""


class Unsupported(TypeError):  # noqa: N818 - it says what the value is
    """A value that has no exact encoding. The message is a noun phrase such as "a value of type Order".

    advice: what the application can do about it, if that is known. Internal: the application sees `Unkeyable` for an
    argument, and `Unstorable` is what becomes of a result.
    """

    def __init__(self, what: str, advice: str | None = None) -> None:
        super().__init__(what)
        self.advice = advice


def type_name(kind: type) -> str:
    """The name of a type in messages: qualified by its module unless it is a builtin.

    >>> import decimal
    >>> type_name(int), type_name(decimal.Decimal)
    ('int', 'decimal.Decimal')
    """
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
