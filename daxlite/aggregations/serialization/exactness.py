"""Whether a value that was read back is exactly the one that was stored: equal, with the same types at every level."""

from typing import Any, Final

from ..errors import type_name
from .containers import compare_sequences
from .mappings import compare_dicts
from .records import field_names, fields_of, is_named_tuple
from .row import Compare, Difference
from .types import TABLE
from .walk import MAX_DEPTH

_COMPARE: Final[dict[type, Compare]] = {row.type: row.compare for row in TABLE}
_CONTAINERS: Final = frozenset(row.type for row in TABLE if row.is_container)


def difference(one: Any, other: Any, depth: int = 0) -> str | None:
    """The name of the first type in `one` whose value differs in `other`; None if there is no difference.

    Stricter than `==`: 1 is not True, -0.0 is not 0.0, Decimal("1.50") is not Decimal("1.5"), a zone is not its offset,
    and nan is nan. The order of a dict counts, and the factory of a defaultdict; the order of a set does not.
    NamedTuples and records are compared by their fields. An object of any other type that has no row is the same as
    itself only.

    >>> difference([1, 2.0], [1, 2.0]), difference([1, 2.0], [1, 2]), difference({1: (2,)}, {1: [2]})
    (None, 'float', 'tuple')
    """
    kind = type(one)
    if one is other and kind not in _CONTAINERS:  # a container is walked in any case: it may contain itself
        return None
    if type(other) is not kind or depth > MAX_DEPTH:
        return type_name(kind)
    compare: Compare = _COMPARE.get(kind, _compare_by_fields)
    return compare(one, other, difference, depth)


def _compare_by_fields(one: Any, other: Any, difference: Difference, depth: int) -> str | None:
    kind = type(one)
    if is_named_tuple(one) and is_named_tuple(other):
        return compare_sequences(one, other, difference, depth)
    if field_names(kind) is not None:
        fields, other_fields = fields_of(one), fields_of(other)
        if fields is not None and other_fields is not None:
            return compare_dicts(kind, fields, other_fields, difference, depth)
    return type_name(kind)
