"""Attribute values in DynamoDB's own typed form, such as `{"S": "o#1"}` or `{"L": [{"N": "1"}]}`.

There are two views of a value: the form in which DynamoDB would store it (`canonical_value`), which a cache may hold
after a write, and a hashable stand-in (`value_signature`), equal exactly when the values are, which may stand in a
cache key.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from .not_cacheable import NotCacheable
from .numbers import canonical_number

AttributeValue: TypeAlias = dict[str, Any]
"""One typed value, `{type: content}`."""
Item: TypeAlias = dict[str, AttributeValue]
"""Attribute names to typed values."""

_first = itemgetter(0)
_DEEPEST = 40  # DynamoDB allows 32 levels; to refuse deeper ones is left to DynamoDB


def canonical_item(item: Mapping[str, Mapping[str, Any]]) -> Item:
    """The item as DynamoDB would store it. Raises NotCacheable for an item that it would refuse.

    >>> canonical_item({"price": {"N": "1.50"}, "scores": {"NS": ["1.0", "2"]}})
    {'price': {'N': '1.5'}, 'scores': {'NS': ['1', '2']}}
    """
    if not isinstance(item, Mapping):
        raise NotCacheable("item")
    return _canonical_attributes(item, 0)


def canonical_value(value: Mapping[str, Any], depth: int = 0) -> AttributeValue:
    """The value as DynamoDB would store it. Raises NotCacheable for a value that it would refuse."""
    kind, content = type_and_content(value)
    if kind == "M":
        return {"M": _canonical_attributes(_mapping(content), _deeper(depth))}
    if kind == "L":
        inside = _deeper(depth)
        return {"L": [canonical_value(part, inside) for part in _sequence(content)]}
    if kind in _SET_ELEMENTS:
        return {kind: [_SET_ELEMENTS[kind](element) for element in _sequence(content)]}
    return {kind: _scalar(kind, content)}


def _canonical_attributes(attributes: Mapping[str, Any], depth: int) -> dict[str, AttributeValue]:
    canonical: dict[str, AttributeValue] = {}
    for name, value in attributes.items():
        if type(name) is not str:
            name = plain_text(name)
        # Most values are strings and numbers. Without this short way a write would spend a third of its time here.
        is_typed = type(value) is dict and len(value) == 1
        if is_typed and type(text := value.get("S")) is str:
            canonical[name] = {"S": text}
        elif is_typed and type(text := value.get("N")) is str:
            canonical[name] = {"N": canonical_number(text)}
        else:
            canonical[name] = canonical_value(value, depth)
    return canonical


def value_signature(value: Mapping[str, Any], depth: int = 0) -> Hashable:
    """A hashable stand-in for the value, equal for two values exactly when they are equal for DynamoDB.

    >>> value_signature({"N": "1.0"}) == value_signature({"N": "1"})
    True
    >>> value_signature({"SS": ["b", "a"]}) == value_signature({"SS": ["a", "b"]})
    True
    >>> value_signature({"S": "1"}) == value_signature({"N": "1"})
    False
    """
    # Most values in conditions are strings and numbers, and a hit would spend much of its time here.
    if type(value) is dict and len(value) == 1:
        if type(text := value.get("S")) is str:
            return ("S", text)
        if type(text := value.get("N")) is str:
            return ("N", canonical_number(text))
    kind, content = type_and_content(value)
    if kind == "M":
        return ("M", _attributes_signature(_mapping(content), _deeper(depth)))
    if kind == "L":
        inside = _deeper(depth)
        return ("L", tuple([value_signature(part, inside) for part in _sequence(content)]))
    if kind in _SET_ELEMENTS:
        element_signature = _SET_ELEMENTS[kind]
        return (kind, tuple(sorted([element_signature(element) for element in _sequence(content)])))
    return (kind, _scalar(kind, content))


def item_signature(item: Mapping[str, Mapping[str, Any]]) -> Hashable:
    """The stand-in for a whole map of attributes, such as an ExclusiveStartKey."""
    return _attributes_signature(_mapping(item), 1)


def _attributes_signature(attributes: Mapping[str, Any], depth: int) -> Hashable:
    parts = [(plain_text(name), value_signature(value, depth)) for name, value in attributes.items()]
    parts.sort(key=_first)
    return tuple(parts)


def key_scalar(value: Mapping[str, Any]) -> tuple[str, str | bytes]:
    """Type and canonical content of a value that may stand in a key: a string, a number or binary.

    >>> key_scalar({"N": "1.0"}), key_scalar({"B": bytearray(b"x")})
    (('N', '1'), ('B', b'x'))
    """
    kind, content = type_and_content(value)
    if kind == "S":
        return kind, plain_text(content)
    if kind == "N":
        return kind, _number(content)
    if kind == "B":
        return kind, _binary(content)
    raise NotCacheable("key value")


def type_and_content(value: Mapping[str, Any]) -> tuple[str, Any]:
    """The one member of a typed value."""
    if not isinstance(value, dict) or len(value) != 1:  # botocore accepts no other mapping
        raise NotCacheable("attribute value")
    ((kind, content),) = value.items()
    return kind, content


def plain_text(content: object) -> str:
    """The text itself, as a plain str even if it is one by inheritance, such as a member of a `StrEnum`. Raises
    NotCacheable for anything else."""
    if type(content) is str:
        return content
    if not isinstance(content, str):
        raise NotCacheable("string")
    return str.__str__(content)


def _scalar(kind: str, content: Any) -> str | bytes | bool:
    if kind == "S":
        return plain_text(content)
    if kind == "N":
        return _number(content)
    if kind == "B":
        return _binary(content)
    # DynamoDB refuses `{"NULL": false}`, and botocore `{"BOOL": 1}`.
    if (kind == "BOOL" and isinstance(content, bool)) or (kind == "NULL" and content is True):
        return bool(content)
    raise NotCacheable("attribute value")


def _number(content: Any) -> str:
    return canonical_number(plain_text(content))


def _binary(content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode()  # botocore does the same with a string that is given for binary
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    raise NotCacheable("binary")  # such as a file object: to read it here would exhaust it


def _mapping(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise NotCacheable("map")
    return content


def _sequence(content: Any) -> Sequence[Any]:
    if not isinstance(content, list | tuple):
        raise NotCacheable("list")
    return content


def _deeper(depth: int) -> int:
    if depth > _DEEPEST:
        raise NotCacheable("nesting")
    return depth + 1


_SET_ELEMENTS: dict[str, Callable[[Any], Any]] = {"SS": plain_text, "NS": _number, "BS": _binary}
