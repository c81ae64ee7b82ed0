"""Which entries a KeyConditionExpression asks for: one partition, and perhaps a range of its sort key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.simulator.conditions import Between, Both, Compare, Condition, Function, holds
from tests.simulator.errors import invalid
from tests.simulator.expressions import Attribute, Literal, Operand
from tests.simulator.schema import Key, KeySchema
from tests.simulator.values import Item, Value, kind_of


@dataclass(frozen=True)
class KeyRange:
    partition: Key
    conditions: tuple[Condition, ...]

    def includes(self, entry: Item) -> bool:
        return all(holds(condition, entry) for condition in self.conditions)


def key_range(condition: Condition, keys: KeySchema, types: Mapping[str, str]) -> KeyRange:
    by_name: dict[str, Condition] = {}
    for each in _flat(condition):
        name, values = _of_one_attribute(each)
        if name in by_name:
            raise invalid("KeyConditionExpressions must only contain one condition per key")
        for value in values:
            if name in keys.attributes and kind_of(value) != types[name]:
                raise invalid(
                    "One or more parameter values were invalid: Condition parameter type does not match schema type"
                )
            if value in ({"S": ""}, {"B": b""}):
                raise invalid("One or more parameter values are not valid: a key may not be an empty value")
        by_name[name] = each
    if by_name.keys() - set(keys.attributes) or any(name not in by_name for name in keys.partition):
        raise invalid("Query condition missed key schema element, or is on something else")
    partition = {}
    for name in keys.partition:
        wanted = _equal_to(by_name[name])
        if wanted is None:
            raise invalid("Query key condition not supported")
        partition[name] = wanted
    ranges = [by_name[name] for name in keys.sort if name in by_name]
    # Of several sort attributes the first ones are given, and all but the last of them exactly.
    if [name for name in keys.sort[: len(ranges)] if name not in by_name]:
        raise invalid("Query condition missed key schema element")
    if any(_equal_to(each) is None for each in ranges[:-1]):
        raise invalid("Query key condition not supported")
    return KeyRange(keys.partition_of(partition), tuple(ranges))


def _flat(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, Both) and condition.operator == "AND":
        yield from _flat(condition.left)
        yield from _flat(condition.right)
    else:
        yield condition


def _of_one_attribute(condition: Condition) -> tuple[str, list[Value]]:
    """The attribute that a condition is on, and the values that it is compared with."""
    operands: tuple[Operand | None, ...]
    match condition:
        case Compare(sign, Literal() as right, Attribute() as left) if sign != "<>":
            operands = (left, right)
        case Compare(sign, left, right) if sign != "<>":
            operands = (left, right)
        case Between(operand, low, high):
            operands = (operand, low, high)
        case Function("begins_with", path, argument):
            operands = (Attribute(path), argument)
        case _:
            raise invalid("Invalid operator used in KeyConditionExpression")
    attribute, *literals = operands
    if not isinstance(attribute, Attribute) or len(attribute.path) != 1:
        raise invalid("Invalid KeyConditionExpression: a condition is on a key attribute")
    values = [each.value for each in literals if isinstance(each, Literal)]
    if len(values) != len(literals):
        raise invalid("Invalid KeyConditionExpression: a key is compared with given values")
    return str(attribute.path[0]), values


def _equal_to(condition: Condition) -> Value | None:
    match condition:
        case Compare("=", Attribute(), Literal(value)) | Compare("=", Literal(value), Attribute()):
            return value
        case _:
            return None
