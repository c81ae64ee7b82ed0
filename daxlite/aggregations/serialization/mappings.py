"""The rows of dict, Counter, OrderedDict and defaultdict.

The members are encoded as pairs: a dict if MessagePack supports all keys, otherwise a list of keys and values in turn.
In a key, the pairs are sorted, except those of an OrderedDict.
"""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final, TypeAlias

from msgspec.msgpack import Ext

from ..errors import Unsupported, type_name
from .row import Difference, Encode, Row, Walk, pack

FACTORIES: Final[dict[int, Callable[[], Any] | None]] = dict(
    enumerate((None, int, float, str, bytes, bool, list, dict, set, tuple, frozenset, Decimal, Counter))
)
"""The factories that a defaultdict may have. The numbers are stored, so a new factory goes to the end."""

Pairs: TypeAlias = dict[Any, Any] | list[Any]
_PairsOf: TypeAlias = Callable[[dict[Any, Any], Walk, int], Pairs]

_FACTORY_NAMES: Final = "None, int, float, str, bytes, bool, list, dict, set, tuple, frozenset, Decimal or Counter"
_ADVICE: Final = "convert it with dict(...)"


def dict_row(code: int) -> Row:
    def encoder(pairs_of: _PairsOf) -> Encode:
        def encode(value: dict[Any, Any], walk: Walk, depth: int) -> Any:
            pairs = pairs_of(value, walk, depth + 1)
            return pairs if type(pairs) is dict else Ext(code, pack(pairs))

        return encode

    return _row(dict, code, encoder(_in_order), encoder(_sorted), to_dict)


def counter_row(code: int) -> Row:
    return _row(
        Counter, code, _encoder(code, _in_order), _encoder(code, _sorted), lambda pairs: Counter(to_dict(pairs))
    )


def ordered_dict_row(code: int) -> Row:
    encode = _encoder(code, _in_order)
    return _row(OrderedDict, code, encode, encode, lambda pairs: OrderedDict(to_dict(pairs)))


def _encoder(code: int, pairs_of: _PairsOf) -> Encode:
    def encode(value: dict[Any, Any], walk: Walk, depth: int) -> Any:
        if value.__dict__:
            raise Unsupported(f"a {type_name(type(value))} that carries attributes", _ADVICE)
        return Ext(code, pack(pairs_of(value, walk, depth + 1)))

    return encode


def defaultdict_row(code: int) -> Row:
    def encoder(pairs_of: _PairsOf) -> Encode:
        def encode(value: defaultdict[Any, Any], walk: Walk, depth: int) -> Any:
            return Ext(code, pack((_factory_number(value.default_factory), pairs_of(value, walk, depth + 1))))

        return encode

    def decode(payload: tuple[int, Pairs]) -> defaultdict[Any, Any]:
        number, pairs = payload
        return defaultdict(FACTORIES[number], to_dict(pairs))

    return _row(defaultdict, code, encoder(_in_order), encoder(_sorted), decode, payload=tuple[int, Pairs])


def _factory_number(wanted: Callable[[], Any] | None) -> int:
    for number, factory in FACTORIES.items():
        if factory is wanted:  # not by `==`, which the application may have overridden
            return number
    raise Unsupported(f"a defaultdict whose default_factory is not {_FACTORY_NAMES}", _ADVICE)


def _row(kind: type, code: int, encode: Encode, key: Encode, decode: Callable[[Any], Any], payload: Any = Pairs) -> Row:
    return Row(
        type=kind,
        code=code,
        encode=encode,
        key=key,
        compare=_compare,
        payload=payload,
        decode=decode,
        is_container=True,
    )


def _in_order(value: dict[Any, Any], walk: Walk, depth: int) -> Pairs:
    for key in value:
        if not (type(key) is str and key.isascii()) and walk(key, depth) is not key:
            return [walk(end, depth) for pair in value.items() for end in pair]
    return {key: walk(member, depth) for key, member in value.items()}


def _sorted(value: dict[Any, Any], walk: Walk, depth: int) -> Pairs:
    for key in value:
        if type(key) is not str or (not key.isascii() and walk(key, depth) is not key):
            # Sorted by the values, too, because nan can be a key twice.
            pairs = sorted([(pack(walk(key, depth)), pack(walk(member, depth))) for key, member in value.items()])
            return [end for pair in pairs for end in pair]
    return {key: walk(member, depth) for key, member in sorted(value.items(), key=itemgetter(0))}


def to_dict(pairs: Pairs) -> dict[Any, Any]:
    """The dict of these pairs. Raises ValueError for an odd number of elements, TypeError for an unhashable key.

    >>> to_dict(["a", 1, (2, 3), 4])
    {'a': 1, (2, 3): 4}
    """
    return pairs if isinstance(pairs, dict) else dict(zip(pairs[::2], pairs[1::2], strict=True))


def _compare(one: Any, other: Any, difference: Difference, depth: int) -> str | None:
    kind = type(one)
    if getattr(one, "__dict__", None) or getattr(other, "__dict__", None):
        return type_name(kind)
    if getattr(one, "default_factory", None) is not getattr(other, "default_factory", None):
        return type_name(kind)
    return compare_dicts(kind, one, other, difference, depth)


def compare_dicts(
    kind: type, one: dict[Any, Any], other: dict[Any, Any], difference: Difference, depth: int
) -> str | None:
    """The difference between the members of two values of this type, in their order."""
    if len(one) != len(other):
        return type_name(kind)
    inside = depth + 1
    for (key, member), (other_key, counterpart) in zip(one.items(), other.items(), strict=True):
        found = difference(key, other_key, inside) or difference(member, counterpart, inside)
        if found:
            return found
    return None
