"""Every operation of the DynamoDB that is installed has a meaning, and one that AWS adds later breaks nothing."""

from typing import Any

import boto3
import pytest

from daxlite.core import operations
from daxlite.core.operations import CACHED_READS, TABLE_CHANGES, UNCACHED_READS, WRITES, classify
from daxlite.edges.dispatcher import PLANS
from tests.calls.scripted import ARN, ITEM, KEY, TABLE, Lab, made, page, refused

MODEL = boto3.Session(region_name="eu-west-1").client("dynamodb").meta.service_model
OPERATIONS = tuple(MODEL.operation_names)
KNOWN = CACHED_READS | UNCACHED_READS | WRITES | TABLE_CHANGES | operations._HARMLESS


def test_no_operation_has_two_meanings() -> None:
    sets = (CACHED_READS, UNCACHED_READS, WRITES, TABLE_CHANGES, operations._HARMLESS)
    assert sum(map(len, sets)) == len(KNOWN)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_of_the_model_is_classified(operation: str) -> None:
    """By name, or by a first word that says that it only reads: Describe and List always do."""
    assert operation in KNOWN or operation.startswith(("Describe", "List", "Get"))
    assert classify(operation) != "table change" or operation in TABLE_CHANGES


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_returns_or_takes_items_is_no_harmless_operation(operation: str) -> None:
    """By the shapes of the model, which are not ours: whoever has attribute values in hand reads or writes items."""
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
        assert classify(operation) != "harmless"


def test_every_cached_read_and_every_write_has_a_plan_and_nothing_else_has() -> None:
    assert PLANS.keys() >= CACHED_READS | WRITES
    assert PLANS.keys() - CACHED_READS - WRITES <= UNCACHED_READS
    assert PLANS.keys() <= set(OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "meaning"),
    [
        ("GetItem", "cached read"),
        ("TransactGetItems", "uncached read"),
        ("PutItem", "write"),
        ("ExecuteStatement", "write"),
        ("DeleteTable", "table change"),
        ("RestoreTableFromBackup", "table change"),
        ("TagResource", "harmless"),
        ("DescribeAnythingAtAll", "harmless"),
        ("ExportEverythingToPointInTime", "harmless"),
        ("PatchItem", "table change"),
        ("ReplaceItems", "table change"),
        ("", "table change"),
    ],
)
def test_meanings(operation: str, meaning: str) -> None:
    assert classify(operation) == meaning


# Operations of the future


def warm(operation: str, answer: Any) -> Lab:
    lab = Lab(GetItem=made(Item=ITEM), Query=page(ITEM), **{operation: answer})
    lab.get()
    lab.query()
    lab.get(TableName="Other")
    assert hits(lab) == [True, True, True]
    lab.dynamodb.take()
    return lab


def hits(lab: Lab) -> list[bool]:
    return [lab.is_hit(response) for response in (lab.get(), lab.query(), lab.get(TableName="Other"))]


@pytest.mark.parametrize(
    "params", [{"TableName": TABLE}, {"TableName": ARN}, {"TableName": TABLE, "What": [{"x": 1}]}], ids=str
)
def test_an_unknown_operation_goes_through_and_drops_its_table(params: dict[str, Any]) -> None:
    lab = warm("PatchItem", made(Patched=True))
    assert lab.caller.call("PatchItem", params) == made(Patched=True)
    assert lab.dynamodb.sent == [("PatchItem", params)]
    assert hits(lab) == [False, False, True]


@pytest.mark.parametrize("params", [{}, {"TableNames": [TABLE]}, {"TableName": None}, {"TableArn": ARN}], ids=str)
def test_an_unknown_operation_on_who_knows_what_drops_everything(params: dict[str, Any]) -> None:
    lab = warm("PatchItem", made())
    assert lab.caller.call("PatchItem", params) == made()
    assert lab.dynamodb.sent == [("PatchItem", params)]
    assert hits(lab) == [False, False, False]


def test_an_unknown_operation_that_fails_may_have_changed_something() -> None:
    error = refused("InternalServerError", status=500)
    lab = warm("PatchItem", error)
    with pytest.raises(type(error)) as raised:
        lab("PatchItem")
    assert raised.value is error
    assert hits(lab) == [False, False, True]


@pytest.mark.parametrize(
    "operation", ["DescribeItemHistory", "ListItems", "GetItems", "SearchVectors", "QueryMany", "TagResource"]
)
def test_an_unknown_read_goes_through_and_drops_nothing(operation: str) -> None:
    lab = warm(operation, made(Items=[ITEM]))
    for _ in range(2):
        assert lab(operation, Key=KEY) == made(Items=[ITEM])
    assert lab.dynamodb.take() == [operation] * 2, "it is not cached either"
    assert hits(lab) == [True, True, True]


@pytest.mark.parametrize("operation", sorted(TABLE_CHANGES))
def test_each_table_change_drops_what_it_may_change(operation: str) -> None:
    lab = warm(operation, made())
    names = [name for name in ("TableName", "TargetTableName", "GlobalTableName") if name in members(operation)]
    nested = (
        {"TableCreationParameters": {"TableName": TABLE}} if "TableCreationParameters" in members(operation) else {}
    )
    lab.caller.call(operation, {**dict.fromkeys(names, TABLE), **nested})
    assert hits(lab)[:2] == [False, False]
    assert hits(lab)[2] is True, "an operation that names its table leaves others alone" if names or nested else ""


def members(operation: str) -> Any:
    return MODEL.operation_model(operation).input_shape.members if operation in OPERATIONS else ()
