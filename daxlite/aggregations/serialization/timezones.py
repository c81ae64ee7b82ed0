"""Time zones as plain data: by their offset or by their key, which is how they are given back."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

ZoneForm: TypeAlias = int | tuple[int, str] | str | None
"""An offset in microseconds; one with a name of its own; the key of a ZoneInfo; no zone."""

_MICROSECOND: Final = timedelta(microseconds=1)
# ZoneInfo looks for a file of this name, and then in a package of it: nothing in a key may lead anywhere else.
_KEY: Final = re.compile(r"[A-Za-z0-9_+-]{1,64}(?:/[A-Za-z0-9_+-]{1,64}){0,3}", re.ASCII)


def zone_form(zone: tzinfo | None) -> ZoneForm:
    """The zone as plain data. Raises TypeError for one that has no such form, such as a class of the application's.

    >>> zone_form(timezone.utc), zone_form(timezone(timedelta(hours=1), "CET")), zone_form(ZoneInfo("Europe/Berlin"))
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
    raise TypeError("a time zone that is neither a datetime.timezone nor a zoneinfo.ZoneInfo with a key")


def zone_from(form: Any) -> tzinfo | None:
    """The zone of that form. Raises ValueError, LookupError, OverflowError or OSError for what is none."""
    if form is None:
        return None
    if isinstance(form, str):
        if not _KEY.fullmatch(form):
            raise ValueError("no key of a time zone")
        return ZoneInfo(form)
    if isinstance(form, int):
        return timezone(timedelta(microseconds=form)) if form else UTC
    microseconds, name = form
    return timezone(timedelta(microseconds=microseconds), name)
