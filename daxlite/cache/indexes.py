"""What this process knows of a table that is named without a client: its partition key, and whether an index exists."""

from collections.abc import Iterable
from contextlib import suppress

from ..core.tables import Place
from . import peers
from .lock import Reentered
from .state import State
from .table import Table


def hash_of(place: Place) -> str | None:
    """The partition key attribute of the table at a place; None as long as no client of this process knows it, and
    where those of several accounts differ."""
    tables = [table for state in peers.PROCESS.states() for table in list(state.tables_at(place))]
    found = {table.schema.key.hash[0] for table in tables if table.schema is not None}
    return found.pop() if len(found) == 1 else None


def check_global_index(places: Iterable[Place], index: str) -> bool:
    """Whether the index is known to be a global one of a table at these places.

    Raises ValueError for a local index, and for one that no table there has. False as long as one of the tables, or the
    table at one of the places, is not described.
    """
    states = peers.PROCESS.states()
    found = [
        [(state, table) for state in states for table in list(state.tables_at(place)) if not table.is_left]
        for place in places
    ]
    schemas = [table.schema for at_place in found for _, table in at_place]
    if any(schema is not None and index in schema.global_indexes for schema in schemas):
        return True
    if None not in schemas and all(found):
        for state, table in found[0]:
            _refuse(state, table, index)
    return False


def _refuse(state: State, table: Table, index: str) -> None:
    schema = table.schema
    if schema is None:  # it was forgotten a moment ago
        return
    if index in schema.local_indexes:
        raise ValueError(
            f"{index!r} is a local index of {table.id.name}, and shares the partitions of the table: leave index= out"
        )
    # It may have been added since; the next read of the table finds out.
    with suppress(Reentered), state.locked():
        table.doubt_description()
    known = ", ".join(map(repr, sorted(schema.global_indexes))) or "none"
    raise ValueError(f"{table.id.name} has no index {index!r}; its global indexes are: {known}")
