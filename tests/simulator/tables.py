"""The operations on whole tables. All of them take effect at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from tests.simulator.errors import RefusedError, invalid
from tests.simulator.reads import Request, Response, Store
from tests.simulator.schema import Schema, schema_from
from tests.simulator.table import Table
from tests.simulator.values import item_size

REGION = "us-east-1"
ACCOUNT = "000000000000"

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,255}")


class TableStore(Store, Protocol):
    tables: dict[str, Table]
    expiry: dict[str, str]
    """The attribute by which items of a table expire."""

    def create(self, schema: Schema) -> Table: ...

    def drop(self, table: Table) -> None: ...


def plain_name(name: str) -> str:
    """The name of a table that is given by its name or by its ARN."""
    if name.startswith("arn:"):
        name = name.rpartition(":table/")[2]
    if not _NAME.fullmatch(name):
        raise invalid("Value at 'tableName' failed to satisfy constraint: [a-zA-Z0-9_.-]+")
    return name


def create_table(store: TableStore, request: Request) -> Response:
    name = plain_name(request["TableName"])
    if len(name) < 3:
        raise invalid("TableName must be at least 3 characters long and at most 255 characters long")
    if name in store.tables:
        raise RefusedError("ResourceInUseException", f"Table already exists: {name}")
    if request.get("BillingMode", "PROVISIONED") == "PROVISIONED" and "ProvisionedThroughput" not in request:
        raise invalid("ReadCapacityUnits and WriteCapacityUnits must be specified when BillingMode is PROVISIONED")
    return {"TableDescription": _description(store.create(schema_from({**request, "TableName": name})))}


def describe_table(store: TableStore, request: Request) -> Response:
    return {"Table": _description(store.table(request["TableName"]))}


def delete_table(store: TableStore, request: Request) -> Response:
    table = store.table(request["TableName"])
    description = _description(table, "DELETING")
    store.drop(table)
    return {"TableDescription": description}


def list_tables(store: TableStore, request: Request) -> Response:
    names = sorted(name for name in store.tables if name > request.get("ExclusiveStartTableName", ""))
    shown = names[: request.get("Limit", 100)]
    more = {"LastEvaluatedTableName": shown[-1]} if len(shown) < len(names) else {}
    return {"TableNames": shown, **more}


def update_table(store: TableStore, request: Request) -> Response:
    """Adds and removes global indexes; a new index is complete at once."""
    table = store.table(request["TableName"])
    wanted = dict(table.schema.request)
    indexes = {index["IndexName"]: index for index in wanted.get("GlobalSecondaryIndexes", ())}
    for change in request.get("GlobalSecondaryIndexUpdates", ()):
        if "Delete" in change:
            if indexes.pop(change["Delete"]["IndexName"], None) is None:
                raise RefusedError("ResourceNotFoundException", "Requested resource not found: Index")
        elif "Create" in change:
            indexes[change["Create"]["IndexName"]] = change["Create"]
    types = {each["AttributeName"]: each for each in wanted["AttributeDefinitions"]}
    types |= {each["AttributeName"]: each for each in request.get("AttributeDefinitions", ())}
    elements = list(wanted["KeySchema"])
    for index in (*indexes.values(), *wanted.get("LocalSecondaryIndexes", ())):
        elements += index["KeySchema"]
    used = {element["AttributeName"] for element in elements}
    wanted["AttributeDefinitions"] = [each for name, each in types.items() if name in used]
    wanted["GlobalSecondaryIndexes"] = list(indexes.values())
    table.schema = schema_from(wanted)
    return {"TableDescription": _description(table)}


def update_time_to_live(store: TableStore, request: Request) -> Response:
    name = store.table(request["TableName"]).schema.name
    specification = request["TimeToLiveSpecification"]
    if specification["Enabled"]:
        store.expiry[name] = specification["AttributeName"]
    else:
        store.expiry.pop(name, None)
    return {"TimeToLiveSpecification": dict(specification)}


def describe_time_to_live(store: TableStore, request: Request) -> Response:
    attribute = store.expiry.get(store.table(request["TableName"]).schema.name)
    if attribute is None:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}}


def _description(table: Table, status: str = "ACTIVE") -> dict[str, Any]:
    schema, request = table.schema, table.schema.request
    items = list(table.at(table.changes[-1].tick).items())
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{schema.name}"
    throughput = request.get("ProvisionedThroughput", {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0})
    description: dict[str, Any] = {
        "TableName": schema.name,
        "TableStatus": status,
        "KeySchema": request["KeySchema"],
        "AttributeDefinitions": request["AttributeDefinitions"],
        "CreationDateTime": table.created,
        "TableArn": arn,
        "TableId": f"00000000-0000-0000-0000-{table.changes[0].tick:012}",
        "ItemCount": len(items),
        "TableSizeBytes": sum(map(item_size, items)),
        "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, **throughput},
        "DeletionProtectionEnabled": False,
    }
    if "BillingMode" in request:
        description["BillingModeSummary"] = {"BillingMode": request["BillingMode"]}
    for is_global, member in ((False, "LocalSecondaryIndexes"), (True, "GlobalSecondaryIndexes")):
        if request.get(member):
            description[member] = [_of_index(index, arn, is_global=is_global) for index in request[member]]
    return description


def _of_index(index: Mapping[str, Any], arn: str, *, is_global: bool) -> dict[str, Any]:
    described = {**index, "IndexArn": f"{arn}/index/{index['IndexName']}", "ItemCount": 0, "IndexSizeBytes": 0}
    return {**described, "IndexStatus": "ACTIVE"} if is_global else described
