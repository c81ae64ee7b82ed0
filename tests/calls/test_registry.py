"""Every operation of the DynamoDB that is installed has a meaning, and one that AWS adds later breaks nothing."""

from typing import Any

import boto3
import pytest

from daxlite.calls.registry import _ROWS, REGISTRY, Operation, operation_of
from tests.scripted_client import ARN, ITEM, KEY, TABLE, ScriptedClient, made, page, refused

MODEL = boto3.Session(region_name="eu-west-1").client("dynamodb").meta.service_model
OPERATIONS = tuple(MODEL.operation_names)
NEW = {"CancelBulkOperation", "SearchVectors", "StartBulkPutItems"}
"""The operations that the lowest botocore that daxlite supports does not have yet."""
TABLE_CHANGES = [row.name for row in _ROWS if row.effect == "table change"]


def effect_of(name: str) -> str:
    return operation_of(name).effect


def test_no_operation_has_two_rows() -> None:
    assert len(REGISTRY) == len(_ROWS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_of_the_model_has_a_row(operation: str) -> None:
    """By name, or by a first word that says that it only reads: Describe and List always do."""
    assert operation in REGISTRY or operation.startswith(("Describe", "List"))
    assert effect_of(operation) != "table change" or operation in TABLE_CHANGES


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_returns_or_takes_items_is_no_harmless_operation(operation: str) -> None:
    """By the shapes of botocore's model: an operation with attribute values reads or writes items."""
    model = MODEL.operation_model(operation)

    def handles_items(shape: Any, seen: tuple[str, ...] = ()) -> bool:
        if shape is None or shape.name in seen:
            return False
        if shape.name == "AttributeValue":
            return True
        parts = {
            "structure": lambda: shape.members.values(),
            "list": lambda: [shape.member],
            "map": lambda: [shape.value],
        }
        return any(handles_items(part, (*seen, shape.name)) for part in parts.get(shape.type_name, list)())

    is_export = "Export" in operation  # writes items to S3, and only the values to select them by are in its shapes
    if not is_export and (handles_items(model.input_shape) or handles_items(model.output_shape)):
        assert effect_of(operation) != "none"


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.name)
def test_each_row_is_complete(row: Operation) -> None:
    assert (row.plan is not None) == (
        row.effect in ("cached read", "write", "table change")
    ) or row.effect == "uncached read"
    assert (row.kind is not None) == (row.effect == "cached read")
    is_read = (
        row.effect in ("cached read", "uncached read") or "Statement" in row.name or row.name == "ExecuteTransaction"
    )
    assert (row.depends_on is not None) == is_read, "what returns items says what its answer depends on"
    assert row.is_batch == row.name.startswith("Batch")


def test_rows_are_of_operations_that_exist() -> None:
    assert REGISTRY.keys() - set(OPERATIONS) <= NEW


@pytest.mark.parametrize(
    ("operation", "effect"),
    [
        ("GetItem", "cached read"),
        ("TransactGetItems", "uncached read"),
        ("PutItem", "write"),
        ("ExecuteStatement", "write"),
        ("DeleteTable", "table change"),
        ("RestoreTableFromBackup", "table change"),
        ("TagResource", "none"),
        ("DescribeAnythingAtAll", "none"),
        ("ExportEverythingToPointInTime", "none"),
        ("PatchItem", "table change"),
        ("ReplaceItems", "table change"),
        ("", "table change"),
    ],
)
def test_effects(operation: str, effect: str) -> None:
    assert effect_of(operation) == effect


# Operations of the future


def warm(operation: str, answer: Any) -> ScriptedClient:
    client = ScriptedClient(GetItem=made(Item=ITEM), Query=page(ITEM), **{operation: answer})
    client.get()
    client.query()
    client.get(TableName="Other")
    assert hits(client) == [True, True, True]
    client.dynamodb.take()
    return client


def hits(client: ScriptedClient) -> list[bool]:
    return [client.is_hit(response) for response in (client.get(), client.query(), client.get(TableName="Other"))]


@pytest.mark.parametrize(
    "params", [{"TableName": TABLE}, {"TableName": ARN}, {"TableName": TABLE, "What": [{"x": 1}]}], ids=str
)
def test_an_unknown_operation_goes_through_and_drops_its_table(params: dict[str, Any]) -> None:
    client = warm("PatchItem", made(Patched=True))
    assert client.dispatcher.call("PatchItem", params) == made(Patched=True)
    assert client.dynamodb.sent == [("PatchItem", params)]
    assert hits(client) == [False, False, True]


@pytest.mark.parametrize("params", [{}, {"TableNames": [TABLE]}, {"TableName": None}, {"TableArn": ARN}], ids=str)
def test_an_unknown_operation_on_unknown_tables_drops_everything(params: dict[str, Any]) -> None:
    client = warm("PatchItem", made())
    assert client.dispatcher.call("PatchItem", params) == made()
    assert client.dynamodb.sent == [("PatchItem", params)]
    assert hits(client) == [False, False, False]


def test_an_unknown_operation_that_fails_may_have_changed_something() -> None:
    error = refused("InternalServerError", status=500)
    client = warm("PatchItem", error)
    with pytest.raises(type(error)) as raised:
        client("PatchItem")
    assert raised.value is error
    assert hits(client) == [False, False, True]


@pytest.mark.parametrize(
    "operation", ["DescribeItemHistory", "ListItems", "GetItems", "SearchVectors", "QueryMany", "TagResource"]
)
def test_an_unknown_read_goes_through_and_drops_nothing(operation: str) -> None:
    client = warm(operation, made(Items=[ITEM]))
    for _ in range(2):
        assert client(operation, Key=KEY) == made(Items=[ITEM])
    assert client.dynamodb.take() == [operation] * 2, "it is not cached either"
    assert hits(client) == [True, True, True]


@pytest.mark.parametrize("operation", TABLE_CHANGES)
def test_each_table_change_drops_what_it_may_change(operation: str) -> None:
    client = warm(operation, made())
    names = [name for name in ("TableName", "TargetTableName", "GlobalTableName") if name in members(operation)]
    nested = (
        {"TableCreationParameters": {"TableName": TABLE}} if "TableCreationParameters" in members(operation) else {}
    )
    client.dispatcher.call(operation, {**dict.fromkeys(names, TABLE), **nested})
    assert hits(client)[:2] == [False, False]
    assert hits(client)[2] is True, "an operation that names its table leaves others alone" if names or nested else ""


def members(operation: str) -> Any:
    return MODEL.operation_model(operation).input_shape.members if operation in OPERATIONS else ()
