"""What a workload does: reads and writes, as they are given to a client."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Read:
    operation: str
    request: dict[str, Any]
    name: str = field(init=False, compare=False)
    """The same for the same question, and for no other."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.operation + json.dumps(self.request, sort_keys=True))

    @classmethod
    def item(cls, table: str, key: Key) -> "Read":
        return cls("GetItem", {"TableName": table, "Key": dict(key)})


@dataclass(frozen=True, slots=True)
class Write:
    """A PutItem or an UpdateItem of one item."""

    operation: str
    request: dict[str, Any]
    key: Key


def put(table: str, item: dict[str, Any], *key: str) -> Write:
    """key: the names of the key attributes."""
    return Write("PutItem", {"TableName": table, "Item": item}, {name: item[name] for name in key})


def update(table: str, key: Key, expression: str, names: Mapping[str, str], **values: Any) -> Write:
    """values: without the colon.

    >>> update("T", {"pk": {"S": "a"}}, "ADD #n :n", {"#n": "n"}, n={"N": "1"}).request["ExpressionAttributeValues"]
    {':n': {'N': '1'}}
    """
    request = {
        "TableName": table,
        "Key": dict(key),
        "UpdateExpression": expression,
        "ExpressionAttributeNames": dict(names),
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }
    return Write("UpdateItem", request, key)


Call = Read | Write
