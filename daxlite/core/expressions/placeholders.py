"""ExpressionAttributeNames and ExpressionAttributeValues of one request."""

from collections.abc import Mapping, Sequence

from ..not_cacheable import NotCacheable
from ..values import AttributeValue

# DynamoDB's limit is 64 KB of UTF-8, and a character takes up to four bytes: what is near it is left to DynamoDB.
MAX_NAME_LENGTH = 65535 // 4


def check_attribute_name(name: object) -> None:
    """Raises `NotCacheable` for what cannot be the name of an attribute, though a request gives it as one.

    >>> check_attribute_name("a.b, or anything that is text")
    """
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise NotCacheable("an attribute name is empty, too long or not a string")


class Placeholders:
    """Resolves `#a` and `:v`, and notes which of them the expressions of a request use.

    All expressions of a request share one instance; `finish` comes last. The syntax of the placeholders needs no check
    of its own: one that is not well-formed cannot occur in an expression, so it is found out as unused.

    >>> placeholders = Placeholders({"#n": "name"}, {":v": {"N": "1"}})
    >>> placeholders.names_of(["#n"]), placeholders.value(":v")
    (('name',), {'N': '1'})
    >>> placeholders.finish()
    """

    __slots__ = ("_names", "_used_names", "_used_values", "_values")

    def __init__(
        self, names: Mapping[str, str] | None = None, values: Mapping[str, AttributeValue] | None = None
    ) -> None:
        # botocore insists on dict; and DynamoDB refuses a map that was given but holds nothing.
        if names is not None and not (isinstance(names, dict) and names):
            raise NotCacheable("ExpressionAttributeNames is empty or not a dict")
        if values is not None and not (isinstance(values, dict) and values):
            raise NotCacheable("ExpressionAttributeValues is empty or not a dict")
        self._names: Mapping[str, str] = {} if names is None else names
        self._values: Mapping[str, AttributeValue] = {} if values is None else values
        self._used_names: set[str] = set()
        self._used_values: set[str] = set()

    def names_of(self, aliases: Sequence[str]) -> tuple[str, ...]:
        """The attribute names that `aliases` (each with its `#`) stand for."""
        if not aliases:
            return ()
        self._used_names.update(aliases)
        try:
            names = tuple([self._names[alias] for alias in aliases])
        except KeyError as error:
            raise NotCacheable(f"undefined: {error.args[0]}") from None
        for name in names:
            check_attribute_name(name)
        return names

    def value(self, placeholder: str) -> AttributeValue:
        """The value that `placeholder` (with its `:`) stands for, as the request gives it."""
        try:
            value = self._values[placeholder]
        except KeyError:
            raise NotCacheable(f"undefined: {placeholder}") from None
        self._used_values.add(placeholder)
        return value

    def finish(self) -> None:
        """Raises `NotCacheable` if a name or value was given that no expression used: DynamoDB refuses those.

        >>> Placeholders({"#n": "name"}).finish()
        Traceback (most recent call last):
        ...
        daxlite.core.not_cacheable.NotCacheable: unused in expressions: #n
        """
        if len(self._used_names) != len(self._names) or len(self._used_values) != len(self._values):
            unused = [*(self._names.keys() - self._used_names), *(self._values.keys() - self._used_values)]
            raise NotCacheable(f"unused in expressions: {', '.join(sorted(map(str, unused)))}")
