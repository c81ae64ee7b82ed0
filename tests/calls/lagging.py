"""A cache before a DynamoDB whose replicas never catch up: only strongly consistent reads see what is new."""

from typing import Any

from daxlite import KeySchema, TableConfig, TableSchema
from tests.calls.scripted import ITEM, KEY, TABLE, Lab, Params, made, page

SCHEMA = TableSchema(
    KeySchema.of("pk"), {"by_owner": KeySchema.of("owner", "age")}, local_indexes=frozenset({"by_age"})
)
OTHER = {"pk": {"S": "other"}}
NEW = {**ITEM, "note": {"S": "new"}}
WINDOW = 5.0


def batch_get(params: Params) -> dict[str, Any]:
    asked = params["RequestItems"][TABLE]
    item = NEW if asked.get("ConsistentRead") else ITEM
    return made(Responses={TABLE: [{**item, **key} for key in asked["Keys"]]}, UnprocessedKeys={})


def lagging(**given: Any) -> Lab:
    """A cache whose item changed a moment ago, behind a DynamoDB whose replicas do not know."""
    answers = {
        "GetItem": lambda params: made(Item={**(NEW if params.get("ConsistentRead") else ITEM), **params["Key"]}),
        "Query": lambda params: page(NEW if params.get("ConsistentRead") else ITEM, LastEvaluatedKey=KEY),
        "Scan": lambda params: page(NEW if params.get("ConsistentRead") else ITEM),
        "BatchGetItem": batch_get,
        "BatchWriteItem": made(UnprocessedItems={}),  # leaves no new state behind, so that the next read is a miss
    }
    config = {"tables": {TABLE: TableConfig(schema=SCHEMA)}, "settle_window": WINDOW, **given.pop("config", {})}
    return Lab(config=config, **{**answers, **given})


def change(lab: Lab, item: Any = NEW) -> None:
    lab("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": item}}]})
    lab.dynamodb.take()


def strengths(lab: Lab) -> list[Any]:
    """The ConsistentRead of each call since this was last asked."""
    sent = [params.get("ConsistentRead") for _, params in lab.dynamodb.sent]
    lab.dynamodb.take()
    return sent
