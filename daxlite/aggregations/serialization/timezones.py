"""Time zones as plain data: an offset, or the key of a zone, and back."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from ..errors import Unsupported

ZoneData: TypeAlias = int | tuple[int, str] | str | None
"""An offset in microseconds; an offset with a name of its own; the key of a ZoneInfo; no zone."""

_MICROSECOND: Final = timedelta(microseconds=1)
# ZoneInfo opens a file of this name, or one in a package: a key must not lead to any other place.
_KEY: Final = re.compile(r"[A-Za-z0-9_+-]{1,64}(?:/[A-Za-z0-9_+-]{1,64}){0,3}", re.ASCII)


def zone_data(zone: tzinfo | None) -> ZoneData:
    """The zone as plain data. Raises Unsupported for a zone of any other class.

    >>> zone_data(timezone.utc), zone_data(timezone(timedelta(hours=1), "CET")), zone_data(ZoneInfo("Europe/Berlin"))
    (0, (3600000000, 'CET'), 'Europe/Berlin')
    """
    if zone is None:
        return None
    if zone is UTC:
        return 0
    if type(zone) is timezone:
        offset = zone.utcoffset(None)
        microseconds, name = offset // _MICROSECOND, zone.tzname(None)
        return microseconds if name == timezone(offset).tzname(None) else (microseconds, name)
    if type(zone) is ZoneInfo and type(zone.key) is str and _KEY.fullmatch(zone.key):
        return zone.key
    raise Unsupported(
        "a time zone that is neither a datetime.timezone nor a zoneinfo.ZoneInfo with a key",
        "use one of these",
    )


def zone_from(data: Any) -> tzinfo | None:
    """The zone of such data. Raises ValueError, LookupError, OverflowError or OSError for anything else."""
    match data:
        case None:
            return None
        case str():
            if not _KEY.fullmatch(data):
                raise ValueError("not the key of a time zone")
            return ZoneInfo(data)
        case int():
            return timezone(timedelta(microseconds=data)) if data else UTC
        case [int() as microseconds, str() as name]:
            return timezone(timedelta(microseconds=microseconds), name)
    raise ValueError("not a time zone")
