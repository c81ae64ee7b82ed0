"""The payloads of types without members: from the value to the payload, and back."""

import math
import struct
from datetime import UTC, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

from msgspec.msgpack import Ext

from .row import Walk
from .timezones import zone_data, zone_from

STR_CODE: Final = 7
# `str` depends on the decimal context of the application, which may print "e" instead of "E".
_decimal_text: Final = Context(capitals=1).to_sci_string

TimedeltaData: TypeAlias = tuple[int, int, int]
TimeData: TypeAlias = tuple[int, int, int, int, int, Any]
DatetimeData: TypeAlias = tuple[int, int, int, int, int, int, int, int, Any]


def one_nan(value: float, walk: Walk, depth: int) -> float:
    """For keys: all nans are the same."""
    return value if value == value else math.nan


def float_bits(value: float) -> bytes:
    return struct.pack(">d", value)


def fits_64_bits(value: int) -> bool:
    return -(2**63) <= value < 2**64


def int_to_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def int_from_bytes(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def is_unicode(value: str) -> bool:
    """Whether a string can be encoded in UTF-8: one with a lone surrogate cannot."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def str_to_bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def str_from_bytes(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def decimal_to_bytes(value: Decimal) -> bytes:
    return _decimal_text(value).encode()


def decimal_from_bytes(data: bytes) -> Decimal:
    text = data.decode("ascii")
    number = Decimal(text)
    if _decimal_text(number) != text:  # such as nan, which a context without traps returns for other text
        raise ValueError("not a decimal number")
    return number


def uuid_to_bytes(value: UUID) -> bytes:
    return value.bytes


def uuid_from_bytes(data: bytes) -> UUID:
    return UUID(bytes=data)


def timedelta_to_data(value: timedelta) -> TimedeltaData:
    return value.days, value.seconds, value.microseconds


def timedelta_from_data(data: TimedeltaData) -> timedelta:
    return timedelta(*data)


def time_to_data(value: time) -> TimeData:
    return value.hour, value.minute, value.second, value.microsecond, value.fold, _zone(value)


def time_from_data(data: TimeData) -> time:
    hour, minute, second, microsecond, fold, zone = data
    return time(hour, minute, second, microsecond, zone_from(zone), fold=fold)


def is_plain_utc(value: datetime) -> bool:
    """Whether a MessagePack timestamp holds all of the value."""
    return value.tzinfo is UTC and not value.fold


def datetime_to_data(value: datetime) -> DatetimeData:
    day = value.year, value.month, value.day
    return *day, value.hour, value.minute, value.second, value.microsecond, value.fold, _zone(value)


def datetime_from_data(data: DatetimeData) -> datetime:
    year, month, day, hour, minute, second, microsecond, fold, zone = data
    return datetime(year, month, day, hour, minute, second, microsecond, zone_from(zone), fold=fold)


def _zone(value: time | datetime) -> Any:
    """The zone in a form that `pack` accepts: the name of an offset may contain a lone surrogate."""
    data = zone_data(value.tzinfo)
    if isinstance(data, tuple) and not is_unicode(data[1]):
        return data[0], Ext(STR_CODE, str_to_bytes(data[1]))
    return data
