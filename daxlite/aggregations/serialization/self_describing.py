"""Values in a form that says itself what they are: MessagePack, with an extension for each type that it has not.

    native      None, bool, int (64 bits), float, str, bytes, list, dict with keys of these, datetime in UTC
    extensions  int of any size, str with lone surrogates, bytearray, tuple, set, frozenset, dict with other keys,
                Decimal, UUID, date, time, timedelta, datetime without a zone or in another, complex, range,
                Counter, OrderedDict, deque, defaultdict with one of the FACTORIES

A subclass of one of these is not one of these. There is no way in which data could name a class or a module.
"""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec
from msgspec.msgpack import Ext

from ...shared.errors import Unstorable
from ..errors import type_name
from .containers import FACTORIES, factory_number
from .exactness import DEEPEST
from .timezones import ZoneForm, zone_form, zone_from

_TUPLE, _SET, _FROZENSET, _DICT, _BYTEARRAY, _INT, _STR, _DECIMAL, _UUID, _DATE, _TIME, _TIMEDELTA, _DATETIME = range(
    1, 14
)
_COUNTER, _ORDERED_DICT, _DEFAULTDICT, _DEQUE, _RANGE, _COMPLEX = range(14, 20)

_Time: TypeAlias = tuple[int, int, int, int, int, ZoneForm]
_Datetime: TypeAlias = tuple[int, int, int, int, int, int, int, int, ZoneForm]

_pack: Final = msgspec.msgpack.Encoder().encode


def encode(value: Any) -> bytes:
    """The value in bytes. Raises Unstorable for what `decode` could not give back.

    >>> decode(encode({(1, "a"): {Decimal("1.50")}}))
    {(1, 'a'): {Decimal('1.50')}}
    """
    try:
        return _pack(_form(value, 0))
    except UnicodeEncodeError:
        raise Unstorable("a time zone whose name is not valid Unicode cannot be stored") from None
    except RuntimeError as error:  # another thread changes the value, or the stack is almost full
        raise Unstorable(f"a result could not be read to its end ({type(error).__name__})") from None


def _form(value: Any, depth: int) -> Any:
    """The value, with an Ext in each place that MessagePack alone would give back as something else."""
    if depth > DEEPEST:
        raise Unstorable(f"a result that contains itself, or is nested deeper than {DEEPEST} levels, cannot be stored")
    kind = type(value)
    if kind in _AS_IS:
        return value
    form = _FORMS.get(kind)
    if form is None:
        raise Unstorable(f"a result with a value of type {type_name(kind)} cannot be stored as it is")
    return form(value, depth)


def _int(value: int, depth: int) -> Any:
    if -(2**63) <= value < 2**64:
        return value
    return Ext(_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _str(value: str, depth: int) -> Any:
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return Ext(_STR, value.encode("utf-8", "surrogatepass"))
    return value


def _list(value: list[Any], depth: int) -> Any:
    return [_form(part, depth + 1) for part in value]


def _members(code: int) -> Callable[[Any, int], Any]:
    return lambda value, depth: Ext(code, _pack([_form(part, depth + 1) for part in value]))


def _dict(value: dict[Any, Any], depth: int) -> Any:
    pairs = _pairs(value, depth)
    return pairs if type(pairs) is dict else Ext(_DICT, _pack(pairs))


def _pairs(value: dict[Any, Any], depth: int) -> dict[Any, Any] | list[Any]:
    """A dict if MessagePack can take one with these keys, or else a list of each key and its value."""
    if all(_form(key, depth + 1) is key for key in value):
        return {key: _form(part, depth + 1) for key, part in value.items()}
    return [_form(end, depth + 1) for pair in value.items() for end in pair]


def _special_dict(code: int) -> Callable[[Any, int], Any]:
    def form(value: Any, depth: int) -> Any:
        try:
            factory = factory_number(value)
        except TypeError as error:
            raise Unstorable(f"a result with {error} cannot be stored as it is; convert it with dict(...)") from None
        pairs = _pairs(value, depth)
        return Ext(code, _pack((factory, pairs) if code == _DEFAULTDICT else pairs))

    return form


def _deque(value: deque[Any], depth: int) -> Any:
    return Ext(_DEQUE, _pack([value.maxlen, *(_form(part, depth + 1) for part in value)]))


def _range(value: range, depth: int) -> Any:
    return Ext(_RANGE, _pack([_int(bound, depth) for bound in (value.start, value.stop, value.step)]))


def _time(value: time, depth: int) -> Any:
    parts: _Time = (value.hour, value.minute, value.second, value.microsecond, value.fold, _zone(value))
    return Ext(_TIME, _pack(parts))


def _datetime(value: datetime, depth: int) -> Any:
    if value.tzinfo is UTC and not value.fold:
        return value  # MessagePack's own timestamp is just that
    day = (value.year, value.month, value.day)
    parts: _Datetime = (*day, value.hour, value.minute, value.second, value.microsecond, value.fold, _zone(value))
    return Ext(_DATETIME, _pack(parts))


def _zone(value: datetime | time) -> ZoneForm:
    try:
        return zone_form(value.tzinfo)
    except TypeError as error:
        raise Unstorable(
            f"a result with {error} cannot be stored as it is; convert the {type(value).__name__}"
        ) from None


_AS_IS: Final = frozenset((type(None), bool, float, bytes))
_FORMS: Final[dict[type, Callable[[Any, int], Any]]] = {
    int: _int,
    str: _str,
    list: _list,
    dict: _dict,
    tuple: _members(_TUPLE),
    set: _members(_SET),
    frozenset: _members(_FROZENSET),
    bytearray: lambda value, depth: Ext(_BYTEARRAY, bytes(value)),
    Decimal: lambda value, depth: Ext(_DECIMAL, str(value).encode()),
    UUID: lambda value, depth: Ext(_UUID, value.bytes),
    date: lambda value, depth: Ext(_DATE, _pack(value.toordinal())),
    time: _time,
    timedelta: lambda value, depth: Ext(_TIMEDELTA, _pack((value.days, value.seconds, value.microseconds))),
    datetime: _datetime,
    Counter: _special_dict(_COUNTER),
    OrderedDict: _special_dict(_ORDERED_DICT),
    defaultdict: _special_dict(_DEFAULTDICT),
    deque: _deque,
    range: _range,
    complex: lambda value, depth: Ext(_COMPLEX, _pack((value.real, value.imag))),
}


def _from_extension(code: int, data: memoryview) -> Any:
    """What an extension stands for. Anything may be raised here: `Codec.decode` makes it CorruptValue."""
    return _EXTENSIONS[code](data)


decode: Final = msgspec.msgpack.Decoder(ext_hook=_from_extension).decode
"""The value of such bytes; raises any Exception for others."""
_decode_list: Final = msgspec.msgpack.Decoder(list[Any], ext_hook=_from_extension).decode
_decode_time: Final = msgspec.msgpack.Decoder(_Time).decode
_decode_datetime: Final = msgspec.msgpack.Decoder(_Datetime).decode
_decode_timedelta: Final = msgspec.msgpack.Decoder(tuple[int, int, int]).decode
_decode_int: Final = msgspec.msgpack.Decoder(int).decode
_decode_pairs: Final = msgspec.msgpack.Decoder(dict[Any, Any] | list[Any], ext_hook=_from_extension).decode
_decode_defaultdict: Final = msgspec.msgpack.Decoder(
    tuple[int, dict[Any, Any] | list[Any]], ext_hook=_from_extension
).decode
_decode_complex: Final = msgspec.msgpack.Decoder(tuple[float, float]).decode


def _to_set(data: memoryview) -> set[Any]:
    members = _decode_list(data)
    found = set(members)
    if len(found) != len(members):
        raise ValueError("a set with a member twice")
    return found


def _to_dict(data: memoryview) -> dict[Any, Any]:
    return _from_pairs(_decode_pairs(data))


def _from_pairs(pairs: dict[Any, Any] | list[Any]) -> dict[Any, Any]:
    return pairs if isinstance(pairs, dict) else dict(zip(pairs[::2], pairs[1::2], strict=True))


def _to_defaultdict(data: memoryview) -> defaultdict[Any, Any]:
    factory, pairs = _decode_defaultdict(data)
    return defaultdict(FACTORIES[factory], _from_pairs(pairs))


def _to_deque(data: memoryview) -> deque[Any]:
    maxlen, *parts = _decode_list(data)
    if maxlen is not None and maxlen < len(parts):
        raise ValueError("a deque that is longer than its maxlen")
    return deque(parts, maxlen)


def _to_range(data: memoryview) -> range:
    start, stop, step = _decode_list(data)
    return range(start, stop, step)


def _to_decimal(data: memoryview) -> Decimal:
    text = str(data, "ascii")
    number = Decimal(text)
    # An application's decimal context may turn what is no number into nan, and print exponents in lower case.
    if str(number).lower() != text.lower():
        raise ValueError("no decimal number")
    return number


def _to_time(data: memoryview) -> time:
    hour, minute, second, microsecond, fold, zone = _decode_time(data)
    return time(hour, minute, second, microsecond, zone_from(zone), fold=fold)


def _to_datetime(data: memoryview) -> datetime:
    year, month, day, hour, minute, second, microsecond, fold, zone = _decode_datetime(data)
    return datetime(year, month, day, hour, minute, second, microsecond, zone_from(zone), fold=fold)


_EXTENSIONS: Final[dict[int, Callable[[memoryview], Any]]] = {
    _TUPLE: lambda data: tuple(_decode_list(data)),
    _SET: _to_set,
    _FROZENSET: lambda data: frozenset(_to_set(data)),
    _DICT: _to_dict,
    _BYTEARRAY: bytearray,
    _INT: lambda data: int.from_bytes(data, "big", signed=True),
    _STR: lambda data: str(data, "utf-8", "surrogatepass"),
    _DECIMAL: _to_decimal,
    _UUID: lambda data: UUID(bytes=bytes(data)),
    _DATE: lambda data: date.fromordinal(_decode_int(data)),
    _TIME: _to_time,
    _TIMEDELTA: lambda data: timedelta(*_decode_timedelta(data)),
    _DATETIME: _to_datetime,
    _COUNTER: lambda data: Counter(_to_dict(data)),
    _ORDERED_DICT: lambda data: OrderedDict(_to_dict(data)),
    _DEFAULTDICT: _to_defaultdict,
    _DEQUE: _to_deque,
    _RANGE: _to_range,
    _COMPLEX: lambda data: complex(*_decode_complex(data)),
}
