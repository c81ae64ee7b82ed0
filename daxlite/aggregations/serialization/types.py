"""The table of types: one row for each type that a result, or an argument of a cached function, may contain.

    self_describing  stores values by `encode`, and reads them by `decode`
    canonical        makes keys of arguments, by `key`
    exactness        checks that a value comes back as it was, by `compare`

To add a type, add a row with an extension code that was never used. Classes of the application have no rows: their
instances may be part of a key (see `canonical`), and are stored by a return annotation (see `codec`).
"""

from collections import deque
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from . import scalars
from .containers import list_row, set_row, tuple_row
from .mappings import counter_row, defaultdict_row, dict_row, ordered_dict_row
from .row import Row, extension, native

TABLE: Final[tuple[Row, ...]] = (
    native(type(None)),
    native(bool),
    native(bytes),
    native(float, key=scalars.one_nan, exact=scalars.float_bits),
    extension(int, 6, scalars.int_to_bytes, scalars.int_from_bytes, fits=scalars.fits_64_bits, is_native=True),
    extension(
        str, scalars.STR_CODE, scalars.str_to_bytes, scalars.str_from_bytes, fits=scalars.is_unicode, is_native=True
    ),
    extension(bytearray, 5, bytes, bytearray),
    extension(Decimal, 8, scalars.decimal_to_bytes, scalars.decimal_from_bytes),
    extension(UUID, 9, scalars.uuid_to_bytes, scalars.uuid_from_bytes),
    extension(date, 10, date.toordinal, date.fromordinal, payload=int),
    extension(time, 11, scalars.time_to_data, scalars.time_from_data, payload=scalars.TimeData),
    extension(timedelta, 12, scalars.timedelta_to_data, scalars.timedelta_from_data, payload=scalars.TimedeltaData),
    extension(
        datetime,
        13,
        scalars.datetime_to_data,
        scalars.datetime_from_data,
        payload=scalars.DatetimeData,
        fits=scalars.is_plain_utc,
    ),
    list_row(),
    tuple_row(1),
    set_row(set, 2),
    set_row(frozenset, 3),
    dict_row(4),
    counter_row(14),
    ordered_dict_row(15),
    defaultdict_row(16),
)

ADVICE: Final[dict[type, str]] = {
    deque: "convert it with list(...)",
    range: "convert it with list(...)",
    complex: "convert it to a tuple of its real and its imaginary part",
    memoryview: "convert it with bytes(...)",
}
"""What the application can do about a value of some types that have no row."""
