"""ExpressionAttributeNames and ExpressionAttributeValues of one request."""

from typing import Any, Final, TypeAlias

from ..not_cacheable import NotCacheable
from ..values import plain_text

# DynamoDB's limit is 64 KB of UTF-8, and a character takes up to four bytes: what is near it is left to DynamoDB.
MAX_NAME_LENGTH: Final = 65535 // 4

NamePairs: TypeAlias = tuple[tuple[str, str], ...]
"""ExpressionAttributeNames as pairs of an alias (with its `#`) and a name."""


def name_pairs(names: object) -> NamePairs:
    """ExpressionAttributeNames in a form that may stand in a key. Raises NotCacheable for what botocore or DynamoDB
    would refuse.

    >>> name_pairs({"#n": "name"})
    (('#n', 'name'),)
    """
    # botocore insists on dict, and DynamoDB refuses a map that was given but is empty.
    if not isinstance(names, dict) or not names:
        raise NotCacheable("ExpressionAttributeNames is empty or not a dict")
    pairs = tuple(names.items())
    for alias, name in pairs:
        if type(alias) is not str or type(name) is not str:
            return tuple([(plain_text(alias), plain_text(name)) for alias, name in pairs])
    return pairs


def value_map(values: object) -> dict[str, Any]:
    """ExpressionAttributeValues as a plain dict, as botocore would send it. Raises NotCacheable for what botocore or
    DynamoDB would refuse."""
    if not isinstance(values, dict) or not values:
        raise NotCacheable("ExpressionAttributeValues is empty or not a dict")
    return values if type(values) is dict else dict(values.items())


def check_attribute_name(name: str) -> None:
    """Raises NotCacheable for a text that cannot be the name of an attribute.

    >>> check_attribute_name("a.b, or any other text")
    """
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise NotCacheable("an attribute name is empty or too long")


class Names:
    """Resolves the aliases of a request while its expressions are parsed, and notes which of them are used.

    All expressions of a request share one instance; `check_all_used` comes last. The syntax of the aliases needs no
    check of its own: one that is not well-formed cannot occur in an expression, so it shows as unused.

    >>> names = Names((("#n", "name"),))
    >>> names.resolve("#n")
    'name'
    >>> names.check_all_used()
    """

    __slots__ = ("_names", "_number", "_used")

    def __init__(self, pairs: NamePairs = ()) -> None:
        self._names = dict(pairs)
        self._number = len(pairs)
        self._used: set[str] = set()

    def resolve(self, alias: str) -> str:
        """The attribute name that an alias stands for. Raises NotCacheable if there is none."""
        name = self._names.get(alias)
        if name is None:
            raise NotCacheable(f"undefined: {alias}")
        check_attribute_name(name)
        self._used.add(alias)
        return name

    def check_all_used(self) -> None:
        """Raises NotCacheable if a name was given that no expression used: DynamoDB refuses those.

        >>> Names((("#n", "name"),)).check_all_used()
        Traceback (most recent call last):
        ...
        daxlite.core.not_cacheable.NotCacheable: unused in expressions: #n
        """
        if len(self._used) != self._number:
            unused = sorted(self._names.keys() - self._used)
            raise NotCacheable(f"unused in expressions: {', '.join(unused)}")
