"""A cache before a DynamoDB whose replicas never catch up: only strongly consistent reads see what is new."""

from typing import Any

from daxlite import KeySchema, TableConfig, TableSchema
from tests.scripted_client import ITEM, KEY, TABLE, Params, ScriptedClient, made, page

SCHEMA = TableSchema(
    KeySchema.of("pk"), {"by_owner": KeySchema.of("owner", "age")}, local_indexes={"by_age": KeySchema.of("pk", "age")}
)
OTHER = {"pk": {"S": "other"}}
NEW = {**ITEM, "note": {"S": "new"}}
WINDOW = 5.0


def batch_get(params: Params) -> dict[str, Any]:
    asked = params["RequestItems"][TABLE]
    item = NEW if asked.get("ConsistentRead") else ITEM
    return made(Responses={TABLE: [{**item, **key} for key in asked["Keys"]]}, UnprocessedKeys={})


def lagging(**given: Any) -> ScriptedClient:
    """A cache whose item changed a moment ago, behind a DynamoDB whose replicas do not know."""
    answers = {
        "GetItem": lambda params: made(Item={**(NEW if params.get("ConsistentRead") else ITEM), **params["Key"]}),
        "Query": lambda params: page(NEW if params.get("ConsistentRead") else ITEM, LastEvaluatedKey=KEY),
        "Scan": lambda params: page(NEW if params.get("ConsistentRead") else ITEM),
        "BatchGetItem": batch_get,
        "TransactWriteItems": made(),
    }
    config = {"tables": {TABLE: TableConfig(schema=SCHEMA)}, "settle_window": WINDOW, **given.pop("config", {})}
    return ScriptedClient(config=config, **{**answers, **given})


def change(client: ScriptedClient, item: Any = NEW) -> None:
    # With a token of the caller's it leaves no new state behind, so that the next read is a miss.
    client("TransactWriteItems", TransactItems=[{"Put": {"TableName": TABLE, "Item": item}}], ClientRequestToken="t")
    client.dynamodb.take()


def strengths(client: ScriptedClient) -> list[Any]:
    """The ConsistentRead of each call since this was last asked."""
    sent = [params.get("ConsistentRead") for _, params in client.dynamodb.sent]
    client.dynamodb.take()
    return sent
