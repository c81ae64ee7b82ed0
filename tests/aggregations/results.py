"""Hypothesis strategies for results and arguments, and an independent definition of when two of them are the same.

- `leaves`, `hashables`, `values`: everything that can be stored and be in a key without an annotation, nested.
- `written`: a hashable description of a value by its types and `repr`, made by none of the code under test.
"""

import struct
import uuid
from collections import Counter, OrderedDict, defaultdict
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

Value = Any

_offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
zones: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.just(UTC),
    st.builds(timezone, _offsets),
    st.builds(timezone, _offsets, st.sampled_from(["CET", "UTC", "", "ü"])),
    st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("UTC"), ZoneInfo("Etc/GMT+1")]),
)


def in_zone(moment: Any, zone: Any, fold: int) -> Any:
    return moment.replace(tzinfo=zone, fold=fold)


datetimes: st.SearchStrategy[datetime] = st.builds(in_zone, st.datetimes(), zones, st.integers(0, 1))
times: st.SearchStrategy[time] = st.builds(in_zone, st.times(), zones, st.integers(0, 1))

factories: st.SearchStrategy[Any] = st.sampled_from(
    [None, int, float, str, bytes, bool, list, dict, set, tuple, frozenset, Decimal, Counter]
)


leaves: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**64) - 2, 2**64 + 2),
    st.integers(-(10**60), 10**60),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0]),
    st.decimals(),
    st.text(st.characters(exclude_categories=()), max_size=8),
    st.binary(max_size=8),
    st.builds(uuid.UUID, int=st.integers(0, 2**128 - 1)),
    st.dates(),
    times,
    datetimes,
    st.timedeltas(),
)

hashables: st.SearchStrategy[Value] = st.recursive(
    leaves.filter(lambda leaf: not is_signalling(leaf)),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)

values: st.SearchStrategy[Value] = st.recursive(
    leaves | st.binary(max_size=8).map(bytearray),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(hashables, inner, max_size=3),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
        st.sets(hashables, max_size=3),
        st.frozensets(hashables, max_size=3),
        st.dictionaries(hashables, inner, max_size=3).map(Counter),
        st.lists(st.text(max_size=1), max_size=4).map(Counter),
        st.dictionaries(hashables, inner, max_size=3).map(OrderedDict),
        st.builds(defaultdict, factories, st.dictionaries(hashables | st.text(max_size=4), inner, max_size=3)),
    ),
    max_leaves=10,
)


def is_signalling(value: Value) -> bool:
    """Signalling nans of Decimal cannot be hashed."""
    return bool(getattr(value, "is_snan", bool)())


def written(value: Value, *, ordered: bool = False) -> Any:
    """Equal for two values if and only if they are equal in value and type at every level, as they are written.

    `ordered`: the order of all dicts counts too, as do the bits of a nan. The order of sets never does.
    """
    kind = type(value)
    if kind in (list, tuple):
        return kind, tuple(written(part, ordered=ordered) for part in value)
    if kind in (dict, Counter, OrderedDict, defaultdict):
        pairs = [(written(key, ordered=ordered), written(part, ordered=ordered)) for key, part in value.items()]
        factory = value.default_factory if kind is defaultdict else None
        return kind, factory, tuple(pairs) if ordered or kind is OrderedDict else frozenset(Counter(pairs).items())
    if kind in (set, frozenset):
        return kind, frozenset(Counter(written(part, ordered=ordered) for part in value).items())
    if kind is float and ordered:
        return kind, struct.pack(">d", value)
    return kind, repr(value)
