"""BatchGetItem: cached items are answered, the others are forwarded, and the response does not show which."""

from typing import Any

import pytest

from daxlite import TableConfig
from tests.scripted_client import ARN, SCHEMA, TABLE, Params, ScriptedClient, made, refused

ITEMS = {letter: {"pk": {"S": letter}, "v": {"S": f"value of {letter}"}, "w": {"N": "1"}} for letter in "abc"}
OTHER = "Other"


def key(letter: str) -> Params:
    return {"pk": {"S": letter}}


def answering(*unprocessed: str, items: dict[str, Params] | None = None) -> Any:
    """A BatchGetItem of a table with ITEMS that leaves some keys unprocessed, and projects top-level attributes."""
    stored = ITEMS if items is None else items

    def answer(params: Params) -> dict[str, Any]:
        responses: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        for name, asked in params["RequestItems"].items():
            names = asked.get("ExpressionAttributeNames", {})
            expression = asked.get("ProjectionExpression")
            wanted = expression and [names.get(part.strip(), part.strip()) for part in expression.split(",")]
            wanted = wanted or asked.get("AttributesToGet")
            letters = [given["pk"]["S"] for given in asked["Keys"]]
            found = [stored[letter] for letter in letters if letter in stored and letter not in unprocessed]
            responses[name] = [{n: v for n, v in item.items() if not wanted or n in wanted} for item in found]
            if left := [given for given in asked["Keys"] if given["pk"]["S"] in unprocessed]:
                rest[name] = {**asked, "Keys": left}
        return made(Responses=responses, UnprocessedKeys=rest)

    return answer


def batch(client: ScriptedClient, letters: str, name: str = TABLE, **asked: Any) -> dict[str, Any]:
    return client("BatchGetItem", RequestItems={name: {"Keys": [key(letter) for letter in letters], **asked}})


def values(response: dict[str, Any], name: str = TABLE) -> list[Any]:
    return sorted(response["Responses"][name], key=repr)


def test_only_what_is_missing_is_forwarded() -> None:
    client = ScriptedClient(BatchGetItem=answering(), GetItem=made(Item=ITEMS["a"]))
    client.get()
    first = batch(client, "abx")
    assert [given["pk"]["S"] for given in client.dynamodb.last_params("RequestItems")[TABLE]["Keys"]] == ["b", "x"]
    client.dynamodb.take()
    second = batch(client, "xba")
    assert client.dynamodb.take() == []
    assert values(first) == values(second) == [ITEMS["a"], ITEMS["b"]]
    assert second["UnprocessedKeys"] == {}
    assert client.is_hit(second)
    assert "Item" not in client.get(Key=key("x"))
    assert client.dynamodb.take() == [], "that there is no x was remembered"


def test_a_batch_of_what_does_not_exist_has_an_empty_list() -> None:
    client = ScriptedClient(BatchGetItem=answering())
    first, second = batch(client, "xy"), batch(client, "xy")
    assert client.is_hit(second)
    assert first["Responses"] == second["Responses"] == {TABLE: []}


def test_unprocessed_keys_survive_and_are_not_taken_as_absent() -> None:
    client = ScriptedClient(BatchGetItem=[answering("b"), answering()])
    first = batch(client, "ab")
    assert values(first) == [ITEMS["a"]]
    assert first["UnprocessedKeys"] == {TABLE: {"Keys": [key("b")]}}
    retried = client("BatchGetItem", RequestItems=first["UnprocessedKeys"])
    assert values(retried) == [ITEMS["b"]]
    assert not client.is_hit(retried)
    assert client.is_hit(batch(client, "ab"))


@pytest.mark.parametrize(
    "asked",
    [
        {"ProjectionExpression": "v"},
        {"ProjectionExpression": "#v", "ExpressionAttributeNames": {"#v": "v"}},
        {"AttributesToGet": ["v"]},
    ],
)
def test_a_projection_without_the_keys_is_cached_and_shows_no_keys(asked: Params) -> None:
    client = ScriptedClient(BatchGetItem=[answering("b"), answering()])
    first = batch(client, "abx", **asked)
    assert values(first) == [{"v": ITEMS["a"]["v"]}]
    assert first["UnprocessedKeys"] == {TABLE: {**asked, "Keys": [key("b")]}}, "what daxlite added must not show"
    second = client("BatchGetItem", RequestItems=first["UnprocessedKeys"])
    assert values(second) == [{"v": ITEMS["b"]["v"]}]
    client.dynamodb.take()
    third = batch(client, "abx", **asked)
    assert client.dynamodb.take() == []
    assert values(third) == [{"v": ITEMS["a"]["v"]}, {"v": ITEMS["b"]["v"]}]
    assert client.get(ProjectionExpression="v")["Item"] == {"v": ITEMS["a"]["v"]}
    assert client.dynamodb.take() == [], "GetItem and BatchGetItem share projections"


def test_a_projection_of_nothing_that_an_item_has_is_an_empty_item() -> None:
    client = ScriptedClient(BatchGetItem=answering())
    first, second = (
        batch(client, "a", ProjectionExpression="nothing"),
        batch(client, "a", ProjectionExpression="nothing"),
    )
    assert first["Responses"] == second["Responses"] == {TABLE: [{}]}
    assert client.is_hit(second)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_where_the_added_keys_are_refused_the_request_goes_as_it_was(code: str) -> None:
    """IAM may deny an attribute; and an expression that was short enough may not be with the keys added."""
    answer = answering()

    def refuse(params: Params) -> dict[str, Any]:
        if "pk" in params["RequestItems"][TABLE].get("ExpressionAttributeNames", {}).values():
            raise refused(code)
        return dict(answer(params))

    client = ScriptedClient(BatchGetItem=refuse)
    for _ in range(2):
        response = batch(client, "ab", ProjectionExpression="v")
        assert values(response) == [{"v": ITEMS["a"]["v"]}, {"v": ITEMS["b"]["v"]}]


def test_an_item_without_the_key_that_was_asked_for_does_no_harm() -> None:
    """A stub, or a server that is not quite DynamoDB, may answer with less than it was asked for."""
    stubbed = made(Responses={TABLE: [{"v": {"S": "1"}}, {"v": {"S": "2"}}]}, UnprocessedKeys={})
    client = ScriptedClient(BatchGetItem=stubbed)
    for _ in range(2):
        assert values(batch(client, "ab", ProjectionExpression="v")) == [{"v": {"S": "1"}}, {"v": {"S": "2"}}]
    assert client.cache.stats().faults == 0


def test_several_tables_are_kept_apart() -> None:
    tables = {TABLE: TableConfig(schema=SCHEMA), OTHER: TableConfig(enabled=False)}
    client = ScriptedClient(BatchGetItem=answering(), config={"tables": tables})
    request = {TABLE: {"Keys": [key("a")]}, OTHER: {"Keys": [key("b")]}}
    for number in range(3):
        response = client("BatchGetItem", RequestItems=request)
        assert response["Responses"] == {TABLE: [ITEMS["a"]], OTHER: [ITEMS["b"]]}
        sent = client.dynamodb.last_params("RequestItems")
        assert set(sent) == ({TABLE, OTHER} if number == 0 else {OTHER})
    assert client.cache.stats().tables[OTHER]["item"].bypasses == {"table_off": 3}


def test_a_consistent_part_goes_to_dynamodb_every_time() -> None:
    client = ScriptedClient(BatchGetItem=answering())
    for _ in range(2):
        assert values(batch(client, "ab", ConsistentRead=True)) == [ITEMS["a"], ITEMS["b"]]
    assert client.dynamodb.take() == ["BatchGetItem"] * 2
    assert client.cache.stats().total.entries == 0


@pytest.mark.parametrize("name", [TABLE, ARN])
def test_capacity_is_returned_for_every_table_under_the_name_of_the_request(name: str) -> None:
    answer = answering()
    client = ScriptedClient(BatchGetItem=lambda params: {**answer(params), "ConsumedCapacity": []})
    client("BatchGetItem", RequestItems={name: {"Keys": [key("a")]}}, ReturnConsumedCapacity="TOTAL")
    hit = client("BatchGetItem", RequestItems={name: {"Keys": [key("a")]}}, ReturnConsumedCapacity="TOTAL")
    assert client.is_hit(hit)
    # botocore's model: "If you had specified the ARN of a table in the input, you'll see the table ARN".
    assert hit["ConsumedCapacity"] == [{"TableName": name, "CapacityUnits": 0.0}]


@pytest.mark.parametrize(
    "keys",
    [[key("a"), key("a")], [key(str(number)) for number in range(101)], [{"n": {"N": "1"}}, {"n": {"N": "1.0"}}]],
    ids=["duplicates", "too many", "one number twice"],
)
def test_what_dynamodb_would_refuse_is_dynamodbs_to_refuse(keys: list[Params]) -> None:
    client = ScriptedClient(BatchGetItem=refused("ValidationException"), PutItem=made(), schema=None)
    for given in keys:
        client.put({**given, "v": {"S": "cached"}})
        client.dynamodb.answers["GetItem"] = made(Item=given)
        client.get(Key=given)
    with pytest.raises(Exception, match="ValidationException"):
        client("BatchGetItem", RequestItems={TABLE: {"Keys": keys}})


def test_a_batch_that_overlaps_a_change_stores_nothing_of_it() -> None:
    answer = answering()

    def overlapped(params: Params) -> dict[str, Any]:
        read = answer(params)
        client("DeleteItem", Key=key("b"))
        return dict(read)

    client = ScriptedClient(BatchGetItem=overlapped, DeleteItem=made(), GetItem=made())
    assert values(batch(client, "ab")) == [ITEMS["a"], ITEMS["b"]]
    assert client.is_hit(client.get(Key=key("a")))
    assert "Item" not in client.get(Key=key("b"))


def test_mutating_a_response_changes_no_other() -> None:
    client = ScriptedClient(BatchGetItem=answering())
    for _ in range(3):
        response = batch(client, "ab")
        assert values(response) == [ITEMS["a"], ITEMS["b"]]
        response["Responses"][TABLE][0].clear()
        response["Responses"][TABLE].clear()


def test_p8_what_a_caller_does_to_unprocessed_keys_does_not_change_its_request() -> None:
    client = ScriptedClient(BatchGetItem=answering("b"))
    names = {"#v": "v"}
    first = batch(client, "ab", ProjectionExpression="#v", ExpressionAttributeNames=names)
    first["UnprocessedKeys"][TABLE]["ExpressionAttributeNames"]["#v"] = "w"
    assert names == {"#v": "v"}
