"""docs/iam.md: its policies allow what daxlite sends, and no more; what they forbid degrades as the page says."""

import json
import logging
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

import daxlite
from daxlite.cli import app
from daxlite.feeds.clients import Clients
from tests import servers
from tests.aggregations.servers.waiting import wait_until
from tests.scripted_client import ARN, DynamoDB, Params, ScriptedClient, description, made, refused
from tests.valkey import Valkey

PAGE = Path(__file__).parents[1] / "docs" / "iam.md"
OF_THE_PAGE = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"
OF_A_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


def policy(heading: str) -> list[dict[str, Any]]:
    """The statements of the policy under a heading of the page, about the table of the scripted client."""
    section = re.split(r"^##+ ", PAGE.read_text(encoding="utf-8").partition(f"# {heading}\n")[2], flags=re.M)[0]
    [text] = re.findall(r"^```json\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)
    statements: list[dict[str, Any]] = json.loads(text.replace(OF_THE_PAGE, ARN))["Statement"]
    assert all(each["Effect"] == "Allow" for each in statements)
    return statements


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions_of(*headings: str) -> set[str]:
    return {action for heading in headings for each in policy(heading) for action in listed(each["Action"])}


# A small part of how IAM decides


def requests(operation: str, params: Params) -> Iterator[tuple[str, str, dict[str, set[str]]]]:
    """The action, the resource and the condition keys of each part of a call."""
    if operation == "TransactWriteItems":
        for entry in params["TransactItems"]:
            for kind, part in entry.items():
                yield from requests(OF_A_TRANSACTION[kind], part)
        return
    if operation == "BatchGetItem":
        parts = [{**part, "Select": _select(part)} for part in params["RequestItems"].values()]
        keys = [key for part in parts for key in part["Keys"]]
    else:
        parts, keys = [params], [params[name] for name in ("Key", "Item") if name in params]
    context: dict[str, set[str]] = {"dynamodb:LeadingKeys": {key["pk"]["S"] for key in keys}}
    if operation == "Query":
        context["dynamodb:LeadingKeys"] = {params["ExpressionAttributeValues"][":p"]["S"]}
    context["dynamodb:Attributes"] = {name for part in parts for name in _attributes(part)}
    for name, value in (("ReturnValues", params.get("ReturnValues")), ("Select", params.get("Select"))):
        if value is not None:
            context[f"dynamodb:{name}"] = {value}
    index = params.get("IndexName")
    yield f"dynamodb:{operation}", f"{ARN}/index/{index}" if index else ARN, context


def _select(part: Params) -> str:
    return "SPECIFIC_ATTRIBUTES" if "ProjectionExpression" in part else "ALL_ATTRIBUTES"


def _attributes(part: Params) -> Iterator[str]:
    """The attributes that a request names."""
    for name in re.findall(r"[#\w]+", part.get("ProjectionExpression", "")):
        yield part.get("ExpressionAttributeNames", {}).get(name, name)
    for key in [part.get("Key", {}), *part.get("Keys", ())]:
        yield from key


def allows(statements: list[dict[str, Any]], operation: str, params: Params) -> bool:
    return all(any(_matches(each, *request) for each in statements) for request in requests(operation, params))


def _matches(statement: dict[str, Any], action: str, resource: str, context: dict[str, set[str]]) -> bool:
    return (
        any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        and all(
            _holds(operator, context.get(key), set(listed(values)))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, found: set[str] | None, allowed: set[str]) -> bool:
    assert operator in ("StringEqualsIfExists", "ForAllValues:StringEquals"), operator
    return found is None or found <= allowed  # both are true where the request has no such key


class Iam:
    """DynamoDB behind policies. Notes what was sent, and what was refused."""

    def __init__(self, *statements: dict[str, Any]) -> None:
        self.statements = list(statements)
        self.refused: list[str] = []
        item = {"pk": {"S": "tenant-1"}, "owner": {"S": "ann"}, "status": {"S": "paid"}}
        page = made(Items=[item], Count=1, ScannedCount=1)
        self.dynamodb = DynamoDB(
            GetItem=made(Item=item),
            BatchGetItem=lambda params: made(Responses={"T": [item]}, UnprocessedKeys={}),
            Query=page,
            Scan=page,
            PutItem=lambda params: self.written(params, item),
            UpdateItem=lambda params: self.written(params, item),
            DeleteItem=lambda params: self.written(params, item),
            BatchWriteItem=made(UnprocessedItems={}),
            TransactWriteItems=made(),
            DescribeTable=description("pk", indexes={"by_owner": ("owner",)}),
            DescribeTimeToLive=made(TimeToLiveDescription={"TimeToLiveStatus": "DISABLED"}),
        )

    @staticmethod
    def written(params: Params, item: dict[str, Any]) -> dict[str, Any]:
        return made(Attributes=item) if params.get("ReturnValues", "NONE") != "NONE" else made()

    def __call__(self, operation: str, params: Params) -> dict[str, Any]:
        if not allows(self.statements, operation, params):
            self.refused.append(operation)
            raise refused("AccessDeniedException")
        return self.dynamodb(operation, params)

    def sent(self) -> set[str]:
        """The actions of all that was sent since the last call of this method."""
        found = {action for operation, params in self.dynamodb.sent for action, _, _ in requests(operation, params)}
        self.dynamodb.sent = []
        return found


KEY = {"pk": {"S": "tenant-1"}}
ITEM = {**KEY, "owner": {"S": "ann"}, "status": {"S": "paid"}}
UPDATE = {"UpdateExpression": "SET s = :s", "ExpressionAttributeValues": {":s": {"S": "x"}}}


def query(client: ScriptedClient, owner: str = "ann") -> dict[str, Any]:
    return client(
        "Query",
        IndexName="by_owner",
        KeyConditionExpression="#o = :p",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":p": {"S": owner}},
    )


def read(client: ScriptedClient) -> None:
    """Each of the reads that are cached, twice."""
    for _ in range(2):
        client("GetItem", Key=KEY)
        client("BatchGetItem", RequestItems={"T": {"Keys": [{"pk": {"S": "b"}}], "ProjectionExpression": "note"}})
        query(client)
        client("Scan")


def write(client: ScriptedClient) -> None:
    """Each of the writes."""
    client("PutItem", Item=ITEM)
    client("UpdateItem", Key=KEY, **UPDATE)
    client("DeleteItem", Key=KEY)
    client("BatchWriteItem", RequestItems={"T": [{"PutRequest": {"Item": ITEM}}]})
    parts: list[Params] = [
        {"Put": {"TableName": "T", "Item": ITEM}},
        {"Update": {"TableName": "T", "Key": {"pk": {"S": "b"}}, **UPDATE}},
        {"Delete": {"TableName": "T", "Key": {"pk": {"S": "c"}}}},
        {
            "ConditionCheck": {
                "TableName": "T",
                "Key": {"pk": {"S": "d"}},
                "ConditionExpression": "attribute_exists(pk)",
            }
        },
    ]
    client("TransactWriteItems", TransactItems=parts)


def test_reads_and_writes_need_what_the_page_says_and_no_more() -> None:
    iam = Iam(*policy("Reads"))
    client = ScriptedClient(schema=None, dynamodb=iam)
    read(client)
    assert iam.refused == []
    assert iam.sent() | {"dynamodb:DescribeTimeToLive"} == actions_of("Reads")

    iam = Iam(*policy("Reads"), *policy("Writes"))
    client = ScriptedClient(schema=None, dynamodb=iam)
    for do in (read, write, read):  # what has just changed is read strongly
        do(client)
    assert iam.refused == []
    assert iam.sent() | {"dynamodb:DescribeTimeToLive"} == actions_of("Reads", "Writes")


def test_what_daxlite_adds_is_what_the_page_lists() -> None:
    iam = Iam(*policy("Reads"), *policy("Writes"))
    client = ScriptedClient(schema=None, dynamodb=iam)
    added: set[str] = set()
    iam.dynamodb.answers["DescribeTimeToLive"] = made(TimeToLiveDescription={"TimeToLiveStatus": "DISABLED"})
    for do in (read, write, read):
        do(client)
        client.cache.clear()
    for operation, params in iam.dynamodb.sent:
        if operation.startswith("Describe"):
            added.add(operation)
        for name in ("ReturnValues", "ConsistentRead"):
            if name in params:
                added.add(f"{name} {params[name]}" if name == "ReturnValues" else name)
        for part in params.get("RequestItems", {}).values() if operation == "BatchGetItem" else ():
            added.update({"ConsistentRead"} if part.get("ConsistentRead") else ())
            if set(_attributes({**part, "Keys": ()})) != {"note"}:
                added.add("ProjectionExpression")
    section = PAGE.read_text(encoding="utf-8").partition("## What daxlite adds")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("|")][2:]
    assert added == {" ".join(re.findall(r"`(\w+)`", row)) for row in rows}


def test_without_descriptions_all_works_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    own = [{**each, "Action": [a for a in each["Action"] if "Describe" not in a]} for each in policy("Reads")]
    iam = Iam(*own, *policy("Writes"))
    client = ScriptedClient(schema=None, dynamodb=iam)
    with caplog.at_level(logging.WARNING, "daxlite"):
        for _ in range(2):
            read(client)
            write(client)
    [record] = caplog.records
    assert "allow dynamodb:DescribeTable" in record.getMessage()
    assert set(iam.refused) == {"DescribeTable"}
    query(client, "bob")
    assert client.is_hit(query(client, "bob"))
    client("PutItem", Item=ITEM)
    assert not client.is_hit(query(client, "bob")), "any write drops all pages"


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_condition_on_return_values(is_allowed: bool) -> None:
    statements = policy("With a condition on return values")
    if not is_allowed:
        [condition] = [each["Condition"]["StringEqualsIfExists"] for each in statements]
        condition["dynamodb:ReturnValues"] = ["NONE"]
    iam = Iam(*policy("Reads"), *statements)
    client = ScriptedClient(schema=None, dynamodb=iam)
    client("UpdateItem", Key=KEY, **UPDATE)
    client("PutItem", Item=ITEM)
    client("DeleteItem", Key=KEY)
    client.clock.now += 100
    query(client, "bob")
    client("PutItem", Item=ITEM)
    assert iam.refused == ([] if is_allowed else ["UpdateItem"]), "it asks once for a table"
    assert client.is_hit(query(client, "bob")) is is_allowed, "the page of another partition"
    client("UpdateItem", Key=KEY, **UPDATE)
    client.clock.now += 100
    assert client.is_hit(client("GetItem", Key=KEY)) is is_allowed


def test_a_policy_for_a_tenant() -> None:
    iam = Iam(*policy("Some of the items, or of the attributes"))
    client = ScriptedClient(schema=None, dynamodb=iam)
    for _ in range(2):
        assert client("GetItem", Key=KEY, ProjectionExpression="#s", ExpressionAttributeNames={"#s": "status"})["Item"]
        part = {"Keys": [KEY], "ProjectionExpression": "#s", "ExpressionAttributeNames": {"#s": "status"}}
        assert client("BatchGetItem", RequestItems={"T": part})["Responses"]["T"]
    assert iam.refused == []
    with pytest.raises(Exception, match="AccessDenied"):
        client("GetItem", Key={"pk": {"S": "tenant-2"}}, ProjectionExpression="status")


def test_feeds_need_what_the_page_says_and_no_more(
    moto_url: str, other_program: Any, streamed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: set[str] = set()
    plain = Clients.send

    def send(self: Clients, operation: str, params: Params) -> Any:
        sent.add(f"dynamodb:{operation}")
        return plain(self, operation, params)

    monkeypatch.setattr(Clients, "send", send)
    table, cache = streamed(), daxlite.Cache()
    client = boto3.client("dynamodb", **servers.connection(moto_url))
    with daxlite.feeds.follow(cache, [table], client=client, poll=0.2) as follower:
        other_program.put_item(TableName=table, Item=KEY)
        wait_until("it has read", lambda: follower.stats()[table].records == 1)
    client.close()
    assert sent == actions_of("Feeds")


def test_doctor_calls_nothing_of_aws(valkey: Valkey, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_a_client(*args: object, **kwargs: object) -> None:
        raise AssertionError("a client of AWS")

    monkeypatch.setattr("botocore.session.Session.create_client", made_a_client)
    result = CliRunner().invoke(app, ["doctor", valkey.url, "--namespace", namespace])
    assert result.exit_code in (0, 1), result.output
