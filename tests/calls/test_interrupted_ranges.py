"""A change of a range, and the renewal of a page beside it, may be interrupted at every moment, as any call."""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest

from daxlite import KeySchema, TableConfig, TableSchema
from daxlite.cache import clock
from tests import invariants
from tests.calls.test_interruptions import is_daxlites
from tests.interrupting import interrupted
from tests.scripted_client import TABLE, Params, ScriptedClient, made, page

SCHEMA = TableSchema(KeySchema.of("pk", "sk"))


class Partition:
    """DynamoDB's one partition: sort keys and their versions."""

    def __init__(self) -> None:
        self.items = {"10": "old", "15": "old", "20": "old"}

    def put(self, params: Params) -> Params:
        self.items[params["Item"]["sk"]["S"]] = params["Item"]["note"]["S"]
        return made()

    def query(self, params: Params) -> Params:
        low, high = (params["ExpressionAttributeValues"][name]["S"] for name in (":low", ":high"))
        return page(*[item(sk, note) for sk, note in sorted(self.items.items()) if low <= sk <= high])


def item(sk: str, note: str) -> Params:
    return {"pk": {"S": "a"}, "sk": {"S": sk}, "note": {"S": note}}


def notes(client: ScriptedClient, low: str, high: str) -> dict[str, str]:
    values = {":p": {"S": "a"}, ":low": {"S": low}, ":high": {"S": high}}
    condition = "pk = :p AND sk BETWEEN :low AND :high"
    found = client("Query", KeyConditionExpression=condition, ExpressionAttributeValues=values)["Items"]
    return {each["sk"]["S"]: each["note"]["S"] for each in found}


PAGES = [("10", "14"), ("15", "19"), ("10", "20")]
CALLS: dict[str, Callable[[ScriptedClient], Any]] = {
    "a renewal": lambda client: notes(client, "10", "14"),
    "a dead page": lambda client: notes(client, "10", "20"),
    "a put in a range": lambda client: client.put(item("15", "new")),
    "a put that is remembered already": lambda client: client.put(item("20", "new")),
    "an invalidation of all": lambda client: client.cache.invalidate(TABLE),
}


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("most", [1, clock.MAX_LOG])
@pytest.mark.parametrize("call", CALLS)
def test_p7_an_interruption_at_any_moment_leaves_ranges_true(
    monkeypatch: pytest.MonkeyPatch, call: str, most: int
) -> None:
    monkeypatch.setattr(clock, "MAX_LOG", most)
    for number in count():
        dynamodb = Partition()
        client = ScriptedClient(
            config={"tables": {TABLE: TableConfig(schema=SCHEMA)}, "settle_window": 5},
            Query=dynamodb.query,
            PutItem=dynamodb.put,
        )
        for low, high in PAGES:
            notes(client, low, high)
        for sk in ("21", "20"):  # beside two of the pages, and at the end of the third
            client.put(item(sk, "new"))
        if interrupted(partial(CALLS[call], client), is_daxlites, number) is None:
            break
        for low, high in PAGES:
            expected = {sk: note for sk, note in dynamodb.items.items() if low <= sk <= high}
            assert notes(client, low, high) == expected, f"moment {number}"
            assert notes(client, low, high) == expected, f"moment {number}"
        invariants.check(client.memory)
    assert number > 10
