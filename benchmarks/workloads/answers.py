"""What each read would have answered at each moment of the past.

The simulated DynamoDB knows, but looks through a whole table to answer a query of a global index. An answer changes
only when something changes in the partition that it is of; so it is worked out once for each state of its partition.
Which partitions a write changes is taken from the item before and after it, as the simulator keeps them: nothing here
is daxlite's.
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.workloads.calls import Key, Read
from tests.simulator import Simulator
from tests.simulator.conditions import parse_condition
from tests.simulator.expressions import Placeholders
from tests.simulator.key_conditions import key_range
from tests.simulator.schema import Index, Schema
from tests.simulator.values import canonical_item

Place = tuple[str, str | None, Hashable]
"""A partition: of which table, of which index (None: of the table itself), and which one."""


@dataclass(frozen=True, slots=True)
class Answer:
    response: dict[str, Any]
    """Without metadata and consumed capacity."""
    units: float
    """What it costs to read it, eventually consistent."""


class Answers:
    """Answers of one simulator, each worked out once. Every write has to be noted."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._changes: dict[Place, list[int]] = {}
        """The ticks of the changes of each partition."""
        self._places: dict[str, Place] = {}
        self._known: dict[tuple[str, int], Answer] = {}
        self._noted = 0
        """The tick of the last change."""

    def note(self, table: str, key: Key) -> None:
        """Take in that an item has just been written."""
        schema = self._simulator.tables[table].schema
        item = canonical_item(dict(key))
        past = self._simulator.tables[table].past(schema.keys.partition_of(item), schema.key_of(item))
        if past is None or past.ticks[-1] <= self._noted:
            return  # the write changed nothing
        self._noted = past.ticks[-1]
        images = [image for image in past.items[-2:] if image is not None]
        places: set[Place] = {(table, None, schema.keys.partition_of(item))}
        for index in schema.indexes.values():
            entries = [entry for image in images if (entry := index.entry(image)) is not None]
            places |= {(table, index.name, index.keys.partition_of(entry)) for entry in entries}
        for place in places:
            self._changes.setdefault(place, []).append(self._noted)

    def index(self, read: Read) -> Index | None:
        """The index that a read asks."""
        name = read.request.get("IndexName")
        return None if name is None else self._schema(read).index(name)

    def now(self, read: Read) -> Answer:
        """What it would answer if no replica lagged."""
        return self.at(self._simulator.history.now, read)

    def at(self, tick: int, read: Read) -> Answer:
        """What it would have answered had everything been as it was at that tick."""
        ticks = self._ticks(read)
        number = bisect_right(ticks, tick)
        return self._at_change(ticks[number - 1] if number else 0, tick, read)

    def since(self, tick: int, read: Read) -> Iterator[Answer]:
        """What it would have answered at each moment from the tick to the present, latest first."""
        ticks = self._ticks(read)
        for change in reversed(ticks[bisect_right(ticks, tick) :]):
            yield self._at_change(change, change, read)
        yield self.at(tick, read)

    def _at_change(self, change: int, tick: int, read: Read) -> Answer:
        """change: the last one of the partition at that tick."""
        answer = self._known.get((read.name, change))
        if answer is None:
            request = {**read.request, "ReturnConsumedCapacity": "TOTAL"}
            response = self._simulator.answer_at(tick, read.operation, request)
            units = response.pop("ConsumedCapacity")["CapacityUnits"]
            answer = self._known[read.name, change] = Answer(response, units)
        return answer

    def _ticks(self, read: Read) -> list[int]:
        place = self._places.get(read.name)
        if place is None:
            place = self._places[read.name] = self._place(read)
        return self._changes.get(place, [])

    def _place(self, read: Read) -> Place:
        schema = self._schema(read)
        if read.operation == "GetItem":
            return (schema.name, None, schema.keys.partition_of(canonical_item(read.request["Key"])))
        index = self.index(read)
        keys = schema.keys if index is None else index.keys
        placeholders = Placeholders(read.request, "KeyConditionExpression")
        condition = parse_condition("KeyConditionExpression", read.request["KeyConditionExpression"], placeholders)
        return (schema.name, read.request.get("IndexName"), key_range(condition, keys, schema.types).partition)

    def _schema(self, read: Read) -> Schema:
        return self._simulator.tables[read.request["TableName"]].schema
