"""A DynamoDB of few words: it answers what a test tells it to, and remembers what it was sent."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.calls.context import Context
from daxlite.calls.dialects import Typed
from daxlite.core.tables import Scope
from daxlite.edges.dispatcher import Dispatcher

Params = dict[str, Any]
Answer = dict[str, Any] | BaseException | Callable[[Params], dict[str, Any]]

TABLE = "T"
ACCOUNT = "123456789012"
ARN = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{TABLE}"
SCOPE = Scope("https://dynamodb.eu-west-1.amazonaws.com", "eu-west-1", "AKIA", ACCOUNT)
SCHEMA = TableSchema(KeySchema.of("pk"), {"by_owner": KeySchema.of("owner", "age")})
KEY = {"pk": {"S": "a"}}
ITEM = {**KEY, "owner": {"S": "ann"}, "age": {"N": "1"}, "note": {"S": "x"}}


def made(*, retries: int = 0, **members: Any) -> dict[str, Any]:
    """A response as botocore returns it."""
    return {**members, "ResponseMetadata": {"HTTPStatusCode": 200, "RetryAttempts": retries}}


def refused(code: str, *, retries: int = 0, status: int = 400) -> ClientError:
    """An error as botocore raises it."""
    metadata = {"HTTPStatusCode": status, "RetryAttempts": retries}
    return ClientError({"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata}, "Operation")  # type: ignore[typeddict-item]


def description(
    *key: str, arn: str | None = ARN, indexes: Mapping[str, tuple[str, ...]] | None = None, local: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What DescribeTable says of a table with these key attributes."""

    def schema(names: tuple[str, ...]) -> list[dict[str, str]]:
        return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]

    table: dict[str, Any] = {"KeySchema": schema(key), **({"TableArn": arn} if arn else {})}
    if indexes:
        table["GlobalSecondaryIndexes"] = [{"IndexName": n, "KeySchema": schema(k)} for n, k in indexes.items()]
    if local:
        table["LocalSecondaryIndexes"] = [{"IndexName": n, "KeySchema": schema(key)} for n in local]
    return made(Table=table)


class DynamoDB:
    """Answers each operation with what `answers` holds for it; a list is used up, its last answer stays."""

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self.answers = answers
        self.sent: list[tuple[str, Params]] = []

    def __call__(self, operation: str, params: Params) -> dict[str, Any]:
        if operation != "DescribeTimeToLive" or operation in self.answers:  # it goes with every DescribeTable
            self.sent.append((operation, copy.deepcopy(params)))
        answer = self.answers.get(operation, refused("AccessDeniedException"))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer(params) if callable(answer) else copy.deepcopy(answer)

    def take(self) -> list[str]:
        """The operations that were sent since this was last asked."""
        operations = [operation for operation, _ in self.sent]
        self.sent = []
        return operations

    def last_params(self, name: str) -> Any:
        """A parameter of the last call; None if it had none of this name."""
        return self.sent[-1][1].get(name)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Lab:
    """One wrapped client on a scripted DynamoDB. The table's schema is configured unless told otherwise."""

    def __init__(
        self,
        *,
        schema: TableSchema | None = SCHEMA,
        config: Mapping[str, Any] | None = None,
        scope: Scope = SCOPE,
        cache: Cache | None = None,
        **answers: Answer | list[Answer],
    ) -> None:
        self.clock = Clock()
        settings: dict[str, Any] = {"jitter": 0.0, **(config or {})}
        settings.setdefault("tables", {TABLE: TableConfig(schema=schema)})
        self.cache = cache or Cache(CacheConfig(**settings), clock=self.clock)
        self.dynamodb = DynamoDB(**answers)
        self.caller = Dispatcher(Context(self.cache, Typed(), self.cache.names(scope)), self.dynamodb)

    def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        if "TableName" not in params and not {"RequestItems", "TransactItems", "Statement", "Statements"} & set(params):
            params["TableName"] = TABLE
        return self.caller.call(operation, params)

    def get(self, **params: Any) -> dict[str, Any]:
        return self("GetItem", **{"Key": KEY, **params})

    def query(self, attribute: str = "pk", value: Any = None, **params: Any) -> dict[str, Any]:
        """A Query of one partition."""
        values = {":v": value or {"S": "a"}}
        return self("Query", KeyConditionExpression=f"{attribute} = :v", ExpressionAttributeValues=values, **params)

    def by_owner(self, owner: str) -> dict[str, Any]:
        names = {"#o": "owner"}
        values = {":o": {"S": owner}}
        return self(
            "Query",
            IndexName="by_owner",
            KeyConditionExpression="#o = :o",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )

    def put(self, item: Mapping[str, Any] = ITEM, **params: Any) -> dict[str, Any]:
        return self("PutItem", Item=item, **params)

    def is_hit(self, response: Mapping[str, Any]) -> bool:
        return "x-cache" in response["ResponseMetadata"].get("HTTPHeaders", {})


def page(*items: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    """A page of a Query or a Scan."""
    return made(Items=list(items), Count=len(items), ScannedCount=len(items), **members)
