"""What a hit says beside its answer: what programs read in the response of a request."""

from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import pytest

from daxlite.calls import responses
from tests.scripted_client import KEY, TABLE, ScriptedClient, answering_client

ABSENT = {"Key": {"pk": {"S": "absent"}}}
PROJECTION = {"ProjectionExpression": "note"}
READS: dict[str, tuple[str, dict[str, Any]]] = {
    "item": ("GetItem", {"Key": KEY}),
    "projected item": ("GetItem", {"Key": KEY, **PROJECTION}),
    "batch": ("BatchGetItem", {"RequestItems": {TABLE: {"Keys": [KEY]}}}),
    "query": (
        "Query",
        {"KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}},
    ),
    "scan": ("Scan", {}),
}


def hit(client: ScriptedClient, read: str) -> Any:
    """The metadata of a hit."""
    operation, params = READS[read]
    client(operation, **params)
    response = client(operation, **params)
    assert client.is_hit(response)
    return response["ResponseMetadata"]


@pytest.mark.parametrize("read", READS)
def test_p1_a_hit_has_what_programs_read_in_the_metadata_of_a_response(read: str) -> None:
    before = int(time())
    metadata = hit(answering_client(), read)
    assert (metadata["RequestId"], metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == ("", 200, 0)
    headers = metadata["HTTPHeaders"]
    assert (headers["x-amzn-requestid"], headers["content-type"]) == ("", "application/x-amz-json-1.0")
    assert headers["date"].endswith(" GMT")
    assert before - 1 <= parsedate_to_datetime(headers["date"]).timestamp() <= time()
    assert {"content-length", "x-amz-crc32"}.isdisjoint(headers), "there is no body that they could be of"


@pytest.mark.parametrize("read", READS)
def test_p8_the_metadata_is_the_callers_own(read: str) -> None:
    client = answering_client()
    first = hit(client, read)
    first["HTTPHeaders"].clear()
    first["RequestId"] = "changed"
    second = hit(client, read)
    assert second["RequestId"] == ""
    assert second["HTTPHeaders"]["date"]


def test_that_there_is_no_such_item_is_a_hit_too() -> None:
    client = answering_client()
    client.dynamodb.answers["GetItem"] = {"ResponseMetadata": {}}
    client.get(**ABSENT)
    response = client.get(**ABSENT)
    assert client.is_hit(response)
    assert response.keys() == {"ResponseMetadata"}


def test_the_date_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, dates = [100.0], iter(["first", "second"])
    monkeypatch.setattr(responses, "_headers_until", 0.0)
    monkeypatch.setattr(responses, "_headers", {})
    monkeypatch.setattr(responses, "monotonic", lambda: clock[0])
    monkeypatch.setattr(responses, "formatdate", lambda usegmt: next(dates))
    seen = []
    for clock[0] in (100.0, 100.9, 101.0, 101.9):
        seen.append(responses.hit_response()["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert seen == ["first", "first", "second", "second"]
