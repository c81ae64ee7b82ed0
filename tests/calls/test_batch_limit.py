"""A batch from the cache returns no more than DynamoDB's would: 16 MB, and the keys of the others are unprocessed."""

from typing import Any

import botocore.session
import pytest

from daxlite.calls.native import Native
from daxlite.core.sizes import MAX_BATCH_BYTES, item_size
from tests.scripted_client import TABLE, Params, ScriptedClient, made

KIB = 1024
PROJECTION = {"ProjectionExpression": "#p, pk", "ExpressionAttributeNames": {"#p": "payload"}}


class Batches:
    """A client of a table with up to a hundred items of some size, in typed or native form."""

    def __init__(self, kind: str, size: int) -> None:
        self.is_native = kind == "native"
        self.text = "x" * size
        self.client = ScriptedClient(BatchGetItem=self._answer, PutItem=made())
        if self.is_native:
            model = botocore.session.get_session().get_service_model("dynamodb")
            self.client.dispatcher.context.dialect = Native(model)

    def value(self, text: str) -> Any:
        return text if self.is_native else {"S": text}

    def key(self, number: int) -> Params:
        return {"pk": self.value(f"{number:03}")}

    def item(self, number: int) -> Params:
        return {**self.key(number), "payload": self.value(self.text)}

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.client.put(self.item(number))

    def get(self, *numbers: int, **asked: Any) -> dict[str, Any]:
        return self.client("BatchGetItem", RequestItems={TABLE: {"Keys": [self.key(n) for n in numbers], **asked}})

    def number(self, given: Params) -> int:
        return int(given["pk"] if self.is_native else given["pk"]["S"])

    def returned(self, response: Params) -> list[int]:
        return [self.number(item) for item in response["Responses"][TABLE]]

    def unprocessed(self, response: Params) -> list[int]:
        return [self.number(key) for key in response["UnprocessedKeys"].get(TABLE, {"Keys": []})["Keys"]]

    def _answer(self, params: Params) -> dict[str, Any]:
        numbers = [self.number(key) for key in params["RequestItems"][TABLE]["Keys"]]
        return made(Responses={TABLE: [self.item(number) for number in numbers]}, UnprocessedKeys={})


@pytest.fixture(params=["typed", "native"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_p1_of_100_items_of_300_kb_52_are_returned_as_by_dynamodb(kind: str) -> None:
    batches = Batches(kind, 300 * KIB - 20)
    batches.put(*range(100))
    assert item_size({"pk": {"S": "000"}, "payload": {"S": batches.text}}) <= 300 * KIB
    left, got = list(range(100)), []
    for expected in (52, 48):
        response = batches.get(*left)
        got += batches.returned(response)
        left = batches.unprocessed(response)
        assert len(batches.returned(response)) == expected
        assert batches.client.is_hit(response)
    assert (sorted(got), left) == (list(range(100)), [])


def test_p1_what_dynamodb_returns_comes_before_what_is_cached(kind: str) -> None:
    batches = Batches(kind, 300 * KIB)
    batches.put(*range(30))
    response = batches.get(*range(70))
    returned = batches.returned(response)
    assert set(range(30, 70)) <= set(returned)
    assert len(returned) == 52
    assert sorted([*returned, *batches.unprocessed(response)]) == list(range(70))
    retried = batches.client("BatchGetItem", RequestItems=response["UnprocessedKeys"])
    assert batches.client.is_hit(retried)
    assert batches.returned(retried) == batches.unprocessed(response)


@pytest.mark.parametrize("cached", ["whole items", "projections"])
def test_what_was_asked_of_the_table_goes_with_the_unprocessed_keys(kind: str, cached: str) -> None:
    batches = Batches(kind, 300 * KIB)
    if cached == "whole items":
        batches.put(*range(60))
    else:
        for number in range(0, 60, 20):
            batches.get(*range(number, number + 20), **PROJECTION)
    response = batches.get(*range(60), **PROJECTION)
    assert batches.client.is_hit(response)
    assert batches.returned(response) == list(range(52))
    rest = response["UnprocessedKeys"][TABLE]
    assert rest == {**PROJECTION, "Keys": [batches.key(number) for number in range(52, 60)]}
    rest["ExpressionAttributeNames"]["#p"] = "changed"
    rest["Keys"][0]["pk"] = "changed"
    assert batches.returned(batches.get(*range(60), **PROJECTION)) == list(range(52)), "P8"
    assert PROJECTION["ExpressionAttributeNames"] == {"#p": "payload"}


def test_what_is_larger_only_by_its_encoding_is_returned() -> None:
    """The cache's form of an item has a few bytes for each value. They do not count."""
    batches = Batches("typed", 0)
    numbers = {"L": [{"N": "1" * 38}] * 8_000}
    batches.item = lambda number: {**batches.key(number), "numbers": numbers}  # type: ignore[method-assign]
    batches.get(*range(40))
    batches.get(*range(40, 80))
    encoded = batches.client.cache.stats().total.bytes
    assert 80 * item_size(batches.item(0)) < MAX_BATCH_BYTES < encoded
    response = batches.get(*range(80))
    assert batches.client.is_hit(response)
    assert (len(batches.returned(response)), response["UnprocessedKeys"]) == (80, {})


def test_a_usual_batch_is_not_measured(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daxlite.calls.batch_limit.item_size", None)
    batches = Batches(kind, 1000)
    batches.put(*range(90))
    for numbers in (range(90), range(30, 100)):
        response = batches.get(*numbers)
        assert (sorted(batches.returned(response)), response["UnprocessedKeys"]) == (list(numbers), {})
    large = Batches(kind, 390 * KIB)
    large.put(*range(39))
    assert len(large.returned(large.get(*range(39)))) == 39
    assert batches.client.cache.stats().faults == large.client.cache.stats().faults == 0
