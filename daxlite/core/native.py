"""Between DynamoDB's typed form and the Python values that boto3's resources speak.

boto3's own serializers make the values, so that a Table answers with exactly the types it always had: Decimal, set,
Binary. Only text, which needs no making, and what holds others, are taken apart and put together here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from boto3.dynamodb import types
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from .not_cacheable import NotCacheable
from .values import Item, canonical_item

_serialize: Final[Callable[[Any], Any]] = TypeSerializer().serialize
_deserializer: Final[Any] = TypeDeserializer()


def _functions() -> list[Any]:
    """What boto3 makes values by, of what is done here in its stead. A program may have put its own there."""
    kind: Any = TypeDeserializer
    return [kind.deserialize, kind._deserialize_s, kind._deserialize_m, kind._deserialize_l]


_OWN: Final = [one if getattr(one, "__globals__", None) is vars(types) else None for one in _functions()]


def typed_item(item: Mapping[str, Any]) -> Item:
    """A resource's item in typed form. Raises NotCacheable for a value that boto3 would not send, such as a float.

    >>> typed_item({"pk": "o#1", "total": 3})
    {'pk': {'S': 'o#1'}, 'total': {'N': '3'}}
    """
    try:
        serialized = {name: {"S": value} if type(value) is str else _serialize(value) for name, value in item.items()}
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        raise NotCacheable("native value") from None
    # boto3 writes numbers as Python does, 1E-7 for 0.0000001, which is not how DynamoDB returns them.
    return canonical_item(serialized)


def native_item(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A typed item as a resource returns it.

    >>> native_item({"pk": {"S": "o#1"}, "total": {"N": "3"}})
    {'pk': 'o#1', 'total': Decimal('3')}
    """
    if _functions() == _OWN:
        return _native_attributes(item)
    return {name: _deserializer.deserialize(value) for name, value in item.items()}


def _native_attributes(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    # boto3's own deserializer asks itself what each value is, and takes ten times as long for a string.
    return {name: value["S"] if "S" in value else _native(value) for name, value in item.items()}


def _native(value: Mapping[str, Any]) -> Any:
    if "N" in value:
        # Looked up each time: it is this one that a program replaces which prefers floats.
        return _deserializer._deserialize_n(value["N"])
    if "M" in value:
        return _native_attributes(value["M"])
    if "L" in value:
        return [element["S"] if "S" in element else _native(element) for element in value["L"]]
    return _deserializer.deserialize(value)


def typed_key(key: Mapping[str, Any]) -> Item:
    """A primary key, given typed or native, in typed form: no native key attribute is a map.

    >>> typed_key({"pk": "o#1"}) == typed_key({"pk": {"S": "o#1"}})
    True
    """
    return {
        name: dict(value) if isinstance(value, Mapping) else typed_item({name: value})[name]
        for name, value in key.items()
    }
