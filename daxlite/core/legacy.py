"""Conditions from before there were expressions: KeyConditions, QueryFilter and ScanFilter."""

from collections.abc import Hashable, Mapping
from typing import Any, Final, Literal

from .encoding import encode
from .expressions.projections import projection_of_attributes
from .extents import Condition
from .not_cacheable import NotCacheable
from .values import plain_text, value_signature

LEGACY_PARAMETERS: Final[Mapping[Literal["query", "scan"], frozenset[str]]] = {
    "query": frozenset({"KeyConditions", "QueryFilter", "ConditionalOperator", "AttributesToGet"}),
    "scan": frozenset({"ScanFilter", "ConditionalOperator", "AttributesToGet"}),
}
_OPERATORS: Final = {
    "EQ": "=",
    "LT": "<",
    "LE": "<=",
    "GT": ">",
    "GE": ">=",
    "BETWEEN": "BETWEEN",
    "BEGINS_WITH": "begins_with",
}
_CONDITION_PARTS: Final = frozenset({"ComparisonOperator", "AttributeValueList"})


def legacy_form(kind: Literal["query", "scan"], request: Mapping[str, Any]) -> bytes:
    """All that a Query or a Scan without expressions says with its conditions and with AttributesToGet.

    >>> one = {"a": {"ComparisonOperator": "EQ", "AttributeValueList": [{"N": "1"}]}}
    >>> other = {"a": {"ComparisonOperator": "EQ", "AttributeValueList": [{"N": "1.0"}]}}
    >>> legacy_form("scan", {"ScanFilter": one}) == legacy_form("scan", {"ScanFilter": other})
    True
    """
    if kind == "query" and "KeyConditions" not in request:
        raise NotCacheable("Query without key conditions")
    name = "QueryFilter" if kind == "query" else "ScanFilter"
    form = (
        _conditions(request["KeyConditions"]) if kind == "query" else None,
        _conditions(request[name]) if name in request else None,
        plain_text(request["ConditionalOperator"]) if "ConditionalOperator" in request else None,
        projection_of_attributes(request["AttributesToGet"]).signature if "AttributesToGet" in request else None,
    )
    try:
        return encode(form)
    except UnicodeEncodeError:
        raise NotCacheable("text that is not Unicode") from None


def equalities_of(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that KeyConditions fix, with their typed values.

    >>> equalities_of({"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "x"}]}})
    {'pk': {'S': 'x'}}
    """
    return {
        name: condition["AttributeValueList"][0]
        for name, condition in conditions.items()
        if condition["ComparisonOperator"] == "EQ" and len(condition.get("AttributeValueList", ())) == 1
    }


def legacy_conditions(conditions: Mapping[str, Any]) -> tuple[Condition, ...]:
    """What KeyConditions ask of the key attributes.

    >>> (asked,) = legacy_conditions({"t": {"ComparisonOperator": "GE", "AttributeValueList": [{"N": "1"}]}})
    >>> asked.name, asked.operator, asked.values
    ('t', '>=', ({'N': '1'},))
    """
    return tuple(
        [
            Condition(name, _OPERATORS[condition["ComparisonOperator"]], tuple(condition["AttributeValueList"]))
            for name, condition in conditions.items()
            if condition["ComparisonOperator"] in _OPERATORS and condition.get("AttributeValueList")
        ]
    )


def _conditions(conditions: Any) -> Hashable:
    """One condition per attribute, ordered by attribute: an operator and a list of values."""
    if not isinstance(conditions, dict):
        raise NotCacheable("conditions")
    return tuple(sorted([_condition(name, value) for name, value in conditions.items()], key=lambda it: it[0]))


def _condition(name: Any, condition: Any) -> tuple[str, str, tuple[Hashable, ...] | None]:
    if not isinstance(condition, dict) or condition.keys() - _CONDITION_PARTS:
        raise NotCacheable("condition")
    signed: tuple[Hashable, ...] | None = None
    if "AttributeValueList" in condition:
        values = condition["AttributeValueList"]
        if not isinstance(values, list):
            raise NotCacheable("condition")
        signed = tuple([value_signature(value) for value in values])
    return plain_text(name), plain_text(condition.get("ComparisonOperator")), signed
