"""Under moto's `mock_aws` a wrapped client that a module made behaves as a plain one does.

Each test here is one that a user has. It runs with plain boto3 and with daxlite."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from moto import mock_aws  # before any client is made, and its session, as moto wants it

import daxlite

HERE: Any = {"region_name": "eu-west-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


def made(wrap: Callable[[Any], Any]) -> SimpleNamespace:
    """What a module of an application makes when it is imported."""
    return SimpleNamespace(
        client=wrap(boto3.Session().client("dynamodb", **HERE)),
        table=wrap(boto3.Session().resource("dynamodb", **HERE)).Table("T"),
        session=wrap(boto3.Session(**HERE)),
        wrap=wrap,
    )


APPLICATIONS = {"boto3": made(lambda thing: thing), "daxlite": made(daxlite.wrap)}


@pytest.fixture(params=APPLICATIONS)
def app(request: pytest.FixtureRequest) -> SimpleNamespace:
    return APPLICATIONS[request.param]


PLAIN = boto3.Session().client("dynamodb", **HERE)


@pytest.fixture
def raw() -> Iterator[Any]:
    """A plain client, in a mock."""
    with mock_aws():
        yield PLAIN


def create(client: Any, *names: str) -> None:
    client.create_table(
        TableName="T",
        KeySchema=[
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        BillingMode="PAY_PER_REQUEST",
    )


def test_what_an_earlier_test_wrote_is_gone(app: SimpleNamespace) -> None:
    for _ in range(2):
        with mock_aws():
            create(PLAIN, "pk")
            assert "Item" not in app.table.get_item(Key={"pk": "a"})
            app.table.put_item(Item={"pk": "a", "v": 1})
            assert app.table.get_item(Key={"pk": "a"})["Item"] == {"pk": "a", "v": 1}
            assert app.client.get_item(TableName="T", Key={"pk": {"S": "a"}})["Item"]["v"] == {"N": "1"}


def test_another_client_seeds_the_table_after_a_read_that_found_nothing(app: SimpleNamespace, raw: Any) -> None:
    create(raw, "pk")
    key = {"pk": {"S": "a"}}
    assert "Item" not in app.client.get_item(TableName="T", Key=key)
    raw.put_item(TableName="T", Item=key)
    assert app.client.get_item(TableName="T", Key=key)["Item"] == key
    assert app.client.batch_get_item(RequestItems={"T": {"Keys": [key]}})["Responses"] == {"T": [key]}


def test_queries_and_scans_show_what_another_client_wrote(app: SimpleNamespace, raw: Any) -> None:
    create(raw, "pk", "sk")
    asked = {"KeyConditionExpression": Key("pk").eq("a")}
    pages = app.client.get_paginator("scan")
    for count in range(3):
        assert app.table.query(**asked)["Count"] == app.table.scan()["Count"] == count
        assert len(pages.paginate(TableName="T").build_full_result().get("Items", [])) == count
        raw.put_item(TableName="T", Item={"pk": {"S": "a"}, "sk": {"S": str(count)}})


def test_another_schema_under_the_same_name(app: SimpleNamespace) -> None:
    for keys in (("pk",), ("pk", "sk"), ("id",)):
        item = dict.fromkeys(keys, "a") | {"v": 1}
        with mock_aws():
            create(PLAIN, *keys)
            with app.table.batch_writer() as batch:
                batch.put_item(Item=item)
            assert app.table.get_item(Key=dict.fromkeys(keys, "a"))["Item"] == item
            assert app.table.query(KeyConditionExpression=Key(keys[0]).eq("a"))["Items"] == [item]
            new = app.table.update_item(
                Key=dict.fromkeys(keys, "a"),
                UpdateExpression="ADD v :one",
                ExpressionAttributeValues={":one": 1},
                ReturnValues="ALL_NEW",
            )
            assert new["Attributes"]["v"] == app.table.get_item(Key=dict.fromkeys(keys, "a"))["Item"]["v"] == 2


def test_a_client_that_is_made_in_the_mock(app: SimpleNamespace) -> None:
    for value in ("1", "2"):
        with mock_aws():
            client = app.wrap(boto3.Session().client("dynamodb", **HERE))
            create(client, "pk")
            assert client.scan(TableName="T")["Count"] == 0
            PLAIN.put_item(TableName="T", Item={"pk": {"S": value}})
            assert client.scan(TableName="T")["Items"] == [{"pk": {"S": value}}]
            client.close()


@mock_aws
def test_a_session_that_was_made_before(app: SimpleNamespace) -> None:
    made = [app.session.client("dynamodb") for _ in range(2)]
    create(made[0], "pk")
    table = app.session.resource("dynamodb").Table("T")
    for value in (1, 2):
        table.put_item(Item={"pk": "a", "v": value})
        for client in made:
            assert client.get_item(TableName="T", Key={"pk": {"S": "a"}})["Item"]["v"] == {"N": str(value)}


def test_a_table_that_another_client_makes_anew(app: SimpleNamespace, raw: Any) -> None:
    for _ in range(2):
        create(raw, "pk")
        assert "Item" not in app.table.get_item(Key={"pk": "a"})
        raw.put_item(TableName="T", Item={"pk": {"S": "a"}})
        assert app.table.get_item(Key={"pk": "a"})["Item"] == {"pk": "a"}
        raw.delete_table(TableName="T")
        with pytest.raises(app.client.exceptions.ResourceNotFoundException):
            app.client.get_item(TableName="T", Key={"pk": {"S": "a"}})
