"""Conversion between DynamoDB's typed form and the native Python values of boto3's resources.

boto3's own serializers convert the values, so a Table returns the same types as without daxlite: Decimal, set, Binary.
Only text, which needs no conversion, and maps and lists are converted here.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from boto3.dynamodb import types
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from .checks import kind_of, shown
from .not_cacheable import NotCacheable
from .schema import item_key
from .values import Item, canonical_item

_KEY_VALUES: Final = (str, int, Decimal, bytes, bytearray, types.Binary, Mapping)
_serialize: Final[Callable[[Any], Any]] = TypeSerializer().serialize
_deserializer: Final[Any] = TypeDeserializer()


def _functions() -> list[Any]:
    """The methods of boto3 that this module replaces. A program may have put methods of its own in their place."""
    kind: Any = TypeDeserializer
    return [kind.deserialize, kind._deserialize_s, kind._deserialize_m, kind._deserialize_l]


_OWN: Final = [one if getattr(one, "__globals__", None) is vars(types) else None for one in _functions()]


_KINDS: Final = ("null", "bool", "n", "s", "b", "ns", "ss", "bs", "m", "l")
_METHODS: Final = {name: vars(TypeDeserializer).get(name) for name in (f"_deserialize_{kind}" for kind in _KINDS)}
_ARE_BOTO3S: Final = all(getattr(one, "__globals__", None) is vars(types) for one in _METHODS.values())


def is_boto3s(deserializer: object) -> bool:
    """Whether a deserializer is boto3's own, as it comes: then the typed form follows from the values that it makes."""
    if type(deserializer) is not TypeDeserializer or not _ARE_BOTO3S or vars(deserializer):
        return False
    own = vars(TypeDeserializer)
    return all(own.get(name) is method for name, method in _METHODS.items())


def typed_item(item: Mapping[str, Any], serialize: Callable[[Any], Any] = _serialize) -> Item:
    """A resource's item in typed form. Raises NotCacheable for a value that boto3 does not send, such as a float.

    >>> typed_item({"pk": "o#1", "total": 3})
    {'pk': {'S': 'o#1'}, 'total': {'N': '3'}}
    """
    try:
        serialized = {name: {"S": value} if type(value) is str else serialize(value) for name, value in item.items()}
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        raise NotCacheable("native value") from None
    # boto3 writes numbers as Python does, such as 1E-7 for 0.0000001; DynamoDB returns them in another notation.
    return canonical_item(serialized)


def native_item(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A typed item as a resource returns it.

    Raises NotCacheable for a number that the program's own number context refuses. Then the call is sent, and boto3
    raises the error itself.

    >>> native_item({"pk": {"S": "o#1"}, "total": {"N": "3"}})
    {'pk': 'o#1', 'total': Decimal('3')}
    """
    try:
        if _functions() == _OWN:
            return _native_attributes(item)
        return {name: _deserializer.deserialize(value) for name, value in item.items()}
    except ArithmeticError:
        raise NotCacheable("native value") from None


def _native_attributes(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    # boto3's own deserializer looks up a method for each value, and takes ten times as long for a string.
    return {name: value["S"] if "S" in value else _native(value) for name, value in item.items()}


def _native(value: Mapping[str, Any]) -> Any:
    if "N" in value:
        # Looked up each time: a program that prefers floats replaces this method.
        return _deserializer._deserialize_n(value["N"])
    if "M" in value:
        return _native_attributes(value["M"])
    if "L" in value:
        return [element["S"] if "S" in element else _native(element) for element in value["L"]]
    return _deserializer.deserialize(value)


def key_argument(key: Any) -> Item:
    """A primary key that the application gives by hand, typed or native, in typed form.

    Raises TypeError for what is not a mapping of attributes, ValueError for values that cannot be in a key.

    >>> key_argument({"pk": "o#1"})
    {'pk': {'S': 'o#1'}}
    """
    if not isinstance(key, Mapping):
        raise TypeError(f"key is {kind_of(key)}; it must map attribute names to values, such as {{'pk': 'o#1'}}")
    for name, value in key.items():
        if isinstance(value, float):
            raise ValueError(f"key[{shown(name)}] is a float, which boto3 does not send either; use Decimal")
        if not isinstance(value, _KEY_VALUES) or isinstance(value, bool):
            raise ValueError(
                f"key[{shown(name)}] is {kind_of(value)}; it must be a string, a number (int or Decimal) or binary "
                "(bytes), as each attribute of a key"
            )
        if isinstance(value, str | bytes | bytearray) and not value:
            raise ValueError(f"key[{shown(name)}] is empty; DynamoDB has no such key, it must have a value")
    try:
        typed = typed_key(key)
        item_key(typed)
    except NotCacheable:
        raise ValueError(
            "key must hold attributes that are strings, numbers or binary, native or typed, such as {'S': 'o#1'}"
        ) from None
    return typed


def typed_key(key: Mapping[str, Any]) -> Item:
    """A primary key, typed or native, in typed form. A map is a typed value, because no native key attribute is a map.

    >>> typed_key({"pk": "o#1"}) == typed_key({"pk": {"S": "o#1"}})
    True
    """
    return {
        name: dict(value) if isinstance(value, Mapping) else typed_item({name: value})[name]
        for name, value in key.items()
    }
