"""Query and Scan page by page: by hand, by paginator, forward and backward, with writes in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS, order
from tests.differential.test_query import OF_ADA
from tests.differential.test_query_indexes import OF_ANN, OPEN


def pages(steps: Steps, operation: str, **request: Any) -> Iterator[dict[str, Any]]:
    """Follow LastEvaluatedKey to the end; each page is read twice."""
    while True:
        page = steps.read(operation, **request)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


@scenario(ORDERS)
def test_pages_of_a_partition(steps: Steps) -> None:
    for limit in (1, 3, 4, 8, 9):
        found = [item for page in pages(steps, "query", **OF_ADA, Limit=limit) for item in page["Items"]]
        assert [item["seq"]["N"] for item in found] == list("12345678")


@scenario(ORDERS)
def test_pages_backward(steps: Steps) -> None:
    found = list(pages(steps, "query", **OF_ADA, Limit=3, ScanIndexForward=False))
    assert [item["seq"]["N"] for page in found for item in page["Items"]] == list("87654321")


@scenario(ORDERS)
def test_pages_of_indexes(steps: Steps) -> None:
    for query in (OPEN, OF_ANN, OF_ADA | {"IndexName": "by-price"}):
        list(pages(steps, "query", **query, Limit=2))


@scenario(ORDERS)
def test_pages_of_a_filter(steps: Steps) -> None:
    """A page may be empty and still not the last."""
    request = OF_ADA | {"FilterExpression": "attribute_exists(holder)", "Limit": 3}
    assert sum(page["Count"] for page in pages(steps, "query", **request)) == 2
    assert sum(page["Count"] for page in pages(steps, "query", **request, Select="COUNT")) == 2


@scenario(ORDERS)
def test_pages_of_a_scan(steps: Steps) -> None:
    for limit in (5, 12):
        assert sum(page["Count"] for page in pages(steps, "scan", Limit=limit)) == 12


@scenario(ORDERS)
def test_a_page_may_start_anywhere(steps: Steps) -> None:
    """Even at a key that no item has."""
    for number in ("3", "3.5", "99"):
        start = {"customer": {"S": "ada"}, "seq": {"N": number}}
        steps.read("query", **OF_ADA, ExclusiveStartKey=start)
        steps.read("query", **OF_ADA, ExclusiveStartKey=start, ScanIndexForward=False)


@scenario(ORDERS)
def test_writes_between_pages(steps: Steps) -> None:
    first = steps.watch("query", **OF_ADA, Limit=3)
    second = steps.watch("query", **OF_ADA, Limit=3, ExclusiveStartKey=first["LastEvaluatedKey"])
    steps.watch("query", **OF_ADA, Limit=3, ExclusiveStartKey=second["LastEvaluatedKey"])
    steps.write("delete_item", Key={"customer": {"S": "ada"}, "seq": {"N": "3"}})
    steps.write("put_item", Item=order("ada", 3) | {"title": {"S": "back"}})
    steps.write("put_item", Item={"customer": {"S": "ada"}, "seq": {"N": "4.5"}})
    steps.write("put_item", Item=order("bob", 50))


@scenario(ORDERS)
def test_paginators(steps: Steps) -> None:
    def paginate(operation: str, **request: Any) -> Any:
        return lambda side: list(side.client.get_paginator(operation).paginate(TableName=side.name, **request))

    assert len(steps.read(paginate("query", **OF_ADA))) == 1
    assert len(steps.read(paginate("query", **OF_ADA, PaginationConfig={"PageSize": 3}))) == 3
    steps.read(paginate("query", **OPEN, PaginationConfig={"PageSize": 2, "MaxItems": 5}))
    steps.read(paginate("query", **OF_ADA, Select="COUNT", PaginationConfig={"PageSize": 5}))
    steps.read(paginate("scan", PaginationConfig={"PageSize": 6}))
    # What was read page by page answers a paginator, and the other way round.
    steps.read("query", **OF_ADA)


@scenario(ORDERS)
def test_paginators_combine_and_search(steps: Steps) -> None:
    def paged(side: Any) -> Any:
        return side.client.get_paginator("query").paginate(
            TableName=side.name, **OF_ADA, PaginationConfig={"PageSize": 3}
        )

    steps.read(lambda side: paged(side).build_full_result(), hit=False)
    steps.read(lambda side: list(paged(side).search("Items[].seq.N")), hit=False)
    steps.read(lambda side: paged(side).result_keys, hit=False)
    steps.read(lambda side: side.client.can_paginate("query"), hit=False)
    steps.read(lambda side: side.client.can_paginate("get_item"), hit=False)


@scenario(ORDERS)
def test_paginator_resumes(steps: Steps) -> None:
    def start(side: Any, **config: Any) -> Any:
        paginator = side.client.get_paginator("query")
        return paginator.paginate(TableName=side.name, **OF_ADA, PaginationConfig={"MaxItems": 4, **config})

    token = steps.read(lambda side: start(side).build_full_result(), hit=False)["NextToken"]
    steps.read(lambda side: start(side, StartingToken=token).build_full_result(), hit=False)


@scenario(ORDERS)
def test_a_bad_paginator(steps: Steps) -> None:
    steps.fail(lambda side: side.client.get_paginator("get_item"))
    steps.fail(lambda side: side.client.get_paginator("no_such_operation"))
    steps.fail(lambda side: list(side.client.get_paginator("query").paginate(TableName=side.name)))
    steps.fail(lambda side: list(side.client.get_paginator("scan").paginate(TableName="no-such-table")))
