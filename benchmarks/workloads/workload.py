"""A workload: a table, what is in it at first, and what is done with it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from benchmarks.workloads.calls import Call, Write

Shape = dict[str, Any]


class Workload(Protocol):
    """A workload keeps nothing between two runs: all that is random is drawn from the generator that it is given."""

    @property
    def name(self) -> str:
        """As it stands in the report."""

    @property
    def shape(self) -> Shape:
        """The parameters of CreateTable."""

    def load(self) -> Iterable[Write]:
        """Write what is there at first."""

    def operations(self, rng: Random) -> Iterator[Sequence[Call]]:
        """One after the other, without end; each is one call, or some that follow on each other."""


def shape(table: str, *key: str, types: Mapping[str, str], **indexes: Sequence[str]) -> Shape:
    """key, indexes: the names of the key attributes. All indexes are global.

    >>> shape("T", "pk", types={"pk": "S"})["KeySchema"]
    [{'AttributeName': 'pk', 'KeyType': 'HASH'}]
    """
    parameters: Shape = {
        "TableName": table,
        "KeySchema": _keys(key),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if indexes:
        parameters["GlobalSecondaryIndexes"] = [
            {"IndexName": name, "KeySchema": _keys(names), "Projection": {"ProjectionType": "ALL"}}
            for name, names in indexes.items()
        ]
    return parameters


def _keys(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]
