"""The differential check finds what a wrong cache would answer, and nothing else."""

from decimal import Decimal
from typing import Any

import pytest

from daxlite.demo.check import CheckResult, check, meaning, summary
from daxlite.demo.workload import PlannedCall

KEY = {"pk": {"S": "a"}}
ITEM = {"pk": {"S": "a"}, "tags": {"SS": ["x", "y"]}, "list": {"L": [{"N": "1"}, {"N": "2"}]}}
QUERY = PlannedCall(
    "Query table", {"KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
)


class Answers:
    """A client that gives the answers it was made with; the last one again and again."""

    def __init__(self, *items: dict[str, Any], count: int = 1) -> None:
        self._items = list(items)
        self._count = count

    def get_item(self, **_: Any) -> dict[str, Any]:
        item = self._items.pop(0) if len(self._items) > 1 else self._items[0]
        return {"Item": item, "ResponseMetadata": {"RequestId": str(id(item))}}

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": [self._items[0]], "Count": self._count, "ConsumedCapacity": {"CapacityUnits": id(self)}}


def checked(raw: Answers, wrapped: Answers) -> CheckResult:
    result = CheckResult()
    check(raw, wrapped, "T", [KEY], [QUERY], result, lambda _: None)
    return result


def test_the_order_of_a_set_and_metadata_do_not_matter() -> None:
    result = checked(Answers(ITEM), Answers({**ITEM, "tags": {"SS": ["y", "x"]}}))
    assert (result.keys, result.queries, result.disagreements) == (1, 1, [])
    assert [*summary(result)] == ["checked 1 keys and 1 queries: all agree"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"pk": {"S": "a"}},
        {**ITEM, "tags": {"SS": ["x"]}},
        {**ITEM, "list": {"L": [{"N": "2"}, {"N": "1"}]}},
        {**ITEM, "more": {"NULL": True}},
    ],
)
def test_a_different_item_is_found(wrong: dict[str, Any]) -> None:
    result = checked(Answers(ITEM), Answers(wrong))
    assert len(result.disagreements) == 4  # the key and the query, each asked for twice
    first, *rest = summary(result)
    assert first.endswith("4 DISAGREE")
    assert len(rest) == 4


def test_what_the_cache_kept_is_checked_too() -> None:
    assert len(checked(Answers(ITEM), Answers(ITEM, {"pk": {"S": "b"}})).disagreements) == 3


def test_whole_answers_are_compared() -> None:
    assert len(checked(Answers(ITEM), Answers(ITEM, count=2)).disagreements) == 2


def test_batches_have_no_order_and_tables_of_two_names_are_one() -> None:
    batch = [{"id": {"N": "1"}}, {"id": {"N": "2"}}]
    left = meaning({"Responses": {"Raw": batch}, "UnprocessedKeys": {}}, "Raw")
    assert left == meaning({"Responses": {"Mine": batch[::-1]}, "UnprocessedKeys": {}}, "Mine")
    assert left != meaning({"Responses": {"Mine": batch[:1]}, "UnprocessedKeys": {}}, "Mine")
    assert left != meaning({"Responses": {"Other": batch}, "UnprocessedKeys": {}}, "Mine")


def test_an_aggregation_that_differs_is_found_and_shown() -> None:
    result = CheckResult()
    raw = {("mon", "EUR"): Decimal(1), ("tue", "EUR"): Decimal(2)}
    result.compare_totals("the revenue", raw, {**raw})
    assert (result.aggregations, result.disagreements) == (1, [])
    result.compare_totals("the revenue", raw, {("mon", "EUR"): Decimal(1), ("tue", "EUR"): Decimal(3)})
    first, shown = summary(result)
    assert first == "checked 0 keys and 0 queries, 2 aggregations: 1 DISAGREE"
    assert "tue" in shown
    assert "mon" not in shown
