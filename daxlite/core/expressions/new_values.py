"""The new value of an attribute, computed from the item that an update met.

    SET score = if_not_exists(score, :zero) + :n     Sum(Default("score", Given(":zero")), Given(":n"), is_plus=True)
    ADD score :n                                     Added("score", ":n")
    DELETE labels :l                                 Less("labels", ":l")
    REMOVE score                                     Removed()

Every term sees the item as it was before the update. What DynamoDB would refuse, or what is not certain, such as a sum
of more digits than DynamoDB keeps, has no value here: NotCacheable is raised.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from ..not_cacheable import NotCacheable
from ..numbers import difference_of, sum_of
from ..values import AttributeValue, Item, canonical_value, type_and_content

_SETS: Final = frozenset({"SS", "NS", "BS"})


class Given(Struct, frozen=True):
    """A value of the request."""

    placeholder: str


class Removed(Struct, frozen=True):
    """Nothing: the attribute goes."""


class Stored(Struct, frozen=True):
    """An attribute of the old item."""

    name: str


class Default(Struct, frozen=True):
    """if_not_exists: an attribute of the old item, or another term's value if the item has none."""

    name: str
    otherwise: "Term"


class Sum(Struct, frozen=True):
    """Two numbers, added or subtracted."""

    left: "Term"
    right: "Term"
    is_plus: bool


class Added(Struct, frozen=True):
    """ADD: an attribute, a number or a set, and what is added to it."""

    name: str
    placeholder: str


class Less(Struct, frozen=True):
    """DELETE: an attribute, a set, without some of its members."""

    name: str
    placeholder: str


Term: TypeAlias = Given | Removed | Stored | Default | Sum | Added | Less


class Meeting:
    """One update with its values, and the item that it met."""

    __slots__ = ("_key", "_old", "_values")

    def __init__(self, values: Mapping[str, Any], old: Item | None, key: Collection[str]) -> None:
        """old, key: as `Update.new_values` takes them."""
        self._values = values
        self._old = old
        self._key = key

    def value(self, term: Term) -> AttributeValue | None:
        """The value of a term, None for nothing. Raises NotCacheable where it is not certain."""
        match term:
            case Given(placeholder):
                return self._given(placeholder)
            case Removed():
                return None
            case Stored(name):
                return self._there(self._stored(name))
            case Default(name, otherwise):
                stored = self._stored(name)
                return self.value(otherwise) if stored is None else stored
            case Sum(left, right, is_plus):
                combine = sum_of if is_plus else difference_of
                return {"N": combine(self._number(self.value(left)), self._number(self.value(right)))}
            case Added(name, placeholder):
                return self._added(self._stored(name), self._given(placeholder))
            case Less(name, placeholder):
                return self._less(self._stored(name), self._given(placeholder))

    def _given(self, placeholder: str) -> AttributeValue:
        if placeholder not in self._values:
            raise NotCacheable("a value is undefined")
        return canonical_value(self._values[placeholder])

    def _stored(self, name: str) -> AttributeValue | None:
        old = self._old
        if old is None:
            raise NotCacheable("the old item is not known")
        if not old and name in self._key:
            raise NotCacheable("whether a new item has its key while it is made")
        return canonical_value(old[name]) if name in old else None

    def _there(self, value: AttributeValue | None) -> AttributeValue:
        if value is None:
            raise NotCacheable("no such attribute")
        return value

    def _number(self, value: AttributeValue | None) -> str:
        kind, content = type_and_content(self._there(value))
        if kind != "N":
            raise NotCacheable("not a number")
        number: str = content
        return number

    def _added(self, stored: AttributeValue | None, more: AttributeValue) -> AttributeValue:
        kind, content = type_and_content(more)
        if kind == "N":
            return {"N": sum_of(self._number({"N": "0"} if stored is None else stored), content)}
        return {kind: [*dict.fromkeys([*self._members(stored, kind), *self._members(more, kind)])]}

    def _less(self, stored: AttributeValue | None, less: AttributeValue) -> AttributeValue | None:
        kind, _ = type_and_content(less)
        gone = self._members(less, kind)
        left = [member for member in self._members(stored, kind) if member not in gone]
        return {kind: left} if left else None

    def _members(self, value: AttributeValue | None, kind: str) -> Collection[Any]:
        """The members of a set of this type; an attribute that is not there has none."""
        if kind not in _SETS:
            raise NotCacheable("neither a number nor a set")
        if value is None:
            return ()
        found, members = type_and_content(value)
        if found != kind or not members:
            raise NotCacheable("not a set of this type, or an empty one")
        content: list[Any] = members
        return content
