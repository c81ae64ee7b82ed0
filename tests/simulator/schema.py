"""The shape of a table: its keys, its indexes, and which item is in which index."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulator.errors import invalid
from tests.simulator.values import MAX_ITEM_BYTES, Item, Value, identity, item_size, kind_of, order

Key = tuple[Hashable, ...]
"""The identity of a primary key, or of the partition of an index."""


@dataclass(frozen=True)
class KeySchema:
    """The keys of a table or of an index. Only the keys of a global index may have several attributes each."""

    partition: tuple[str, ...]
    sort: tuple[str, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        return self.partition + self.sort

    def partition_of(self, item: Item) -> Key:
        return tuple(identity(item[name]) for name in self.partition)

    def order_of(self, item: Item) -> tuple[Any, ...]:
        return tuple(order(item[name]) for name in self.sort)


@dataclass(frozen=True)
class Index:
    name: str
    keys: KeySchema
    is_global: bool
    projection: str
    included: frozenset[str]

    def projects(self, name: str) -> bool:
        return self.projection == "ALL" or name in self.included

    def entry(self, item: Item) -> Item | None:
        """What the index has of an item: nothing where a key attribute is missing."""
        if any(name not in item for name in self.keys.attributes):
            return None
        return {name: value for name, value in item.items() if self.projects(name)}


@dataclass(frozen=True)
class Schema:
    name: str
    keys: KeySchema
    types: Mapping[str, str]
    indexes: Mapping[str, Index]
    request: Mapping[str, Any]
    """What CreateTable was asked for."""

    def key_of(self, item: Item) -> Key:
        return tuple(identity(item[name]) for name in self.keys.attributes)

    def key_in(self, item: Item) -> Item:
        return {name: item[name] for name in self.keys.attributes}

    def index(self, name: str) -> Index:
        if name not in self.indexes:
            raise invalid(f"The table does not have the specified index: {name}")
        return self.indexes[name]

    def check_key(self, key: Item) -> None:
        """Refuse what is not exactly a primary key of this table."""
        if key.keys() != set(self.keys.attributes):
            raise invalid("The provided key element does not match the schema")
        for name in self.keys.attributes:
            if kind_of(key[name]) != self.types[name]:
                raise invalid("The provided key element does not match the schema")
            _check_not_empty(name, key[name])

    def check_item(self, item: Item) -> None:
        """Refuse an item that may not be stored."""
        for name in self.keys.attributes:
            if name not in item:
                raise invalid(f"One or more parameter values were invalid: Missing the key {name} in the item")
        self.check_types(item)
        if item_size(item) > MAX_ITEM_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")

    def check_types(self, item: Item) -> None:
        for name, wanted in self.types.items():
            if name not in item:
                continue
            if kind_of(item[name]) != wanted:
                raise invalid(
                    f"One or more parameter values were invalid: Type mismatch for key {name} "
                    f"expected: {wanted} actual: {kind_of(item[name])}"
                )
            _check_not_empty(name, item[name])


def schema_from(request: Mapping[str, Any]) -> Schema:
    """The schema that a CreateTable request asks for."""
    types = {each["AttributeName"]: each["AttributeType"] for each in request["AttributeDefinitions"]}
    keys = _keys(request["KeySchema"], several=False)
    indexes: dict[str, Index] = {}
    for is_global, parameter in ((False, "LocalSecondaryIndexes"), (True, "GlobalSecondaryIndexes")):
        for wanted in request.get(parameter, ()):
            index = _index(wanted, keys, is_global)
            if index.name in indexes:
                raise invalid(f"One or more parameter values were invalid: Duplicate index name: {index.name}")
            indexes[index.name] = index
    used = {name for schema in (keys, *(index.keys for index in indexes.values())) for name in schema.attributes}
    if used != types.keys():
        raise invalid(
            "One or more parameter values were invalid: Some AttributeDefinitions are not used, or some index key "
            f"attributes are not defined. Keys: {sorted(used)}, AttributeDefinitions: {sorted(types)}"
        )
    return Schema(request["TableName"], keys, types, indexes, dict(request))


def _index(wanted: Mapping[str, Any], table: KeySchema, is_global: bool) -> Index:
    keys = _keys(wanted["KeySchema"], several=is_global)
    if not is_global and (keys.partition != table.partition or not keys.sort or not table.sort):
        raise invalid(
            "One or more parameter values were invalid: a local index has the partition key of its table, and a sort "
            f"key of its own. Index: {wanted['IndexName']}"
        )
    projection = wanted["Projection"].get("ProjectionType", "ALL")
    more = wanted["Projection"].get("NonKeyAttributes", ())
    if bool(more) != (projection == "INCLUDE"):
        raise invalid("One or more parameter values were invalid: NonKeyAttributes go with ProjectionType INCLUDE")
    included = frozenset({*table.attributes, *keys.attributes, *more})
    return Index(wanted["IndexName"], keys, is_global, projection, included)


def _keys(elements: Sequence[Mapping[str, str]], *, several: bool) -> KeySchema:
    named: dict[str, list[str]] = {"HASH": [], "RANGE": []}
    for element in elements:
        if element["KeyType"] == "HASH" and named["RANGE"]:
            raise invalid("Invalid KeySchema: HASH keys come before RANGE keys")
        named[element["KeyType"]].append(element["AttributeName"])
    most = 4 if several else 1
    if not 1 <= len(named["HASH"]) <= most or len(named["RANGE"]) > most:
        raise invalid("One or more parameter values were invalid: too few or too many key attributes")
    return KeySchema(tuple(named["HASH"]), tuple(named["RANGE"]))


def _check_not_empty(name: str, value: Value) -> None:
    if value in ({"S": ""}, {"B": b""}):
        raise invalid(f"One or more parameter values are not valid. The key {name} may not be an empty value")
