"""`ScriptedClient`: a wrapped client, without boto3, on a DynamoDB that gives the answers of a script.

Use it to test which requests a call sends and what it answers. Where DynamoDB's own behaviour matters (replicas that
lag, conditions, overlapping calls), use `SimulatedClient`; for the cache by itself, `CacheBench`.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.calls.context import Context
from daxlite.calls.dialects import Typed
from daxlite.core.tables import AWS, Scope
from daxlite.edges.dispatcher import Dispatcher
from tests.responses import is_hit

Params = dict[str, Any]
Answer = dict[str, Any] | BaseException | Callable[[Params], dict[str, Any]]

TABLE = "T"
ACCOUNT = "123456789012"
ARN = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{TABLE}"
SCOPE = Scope(AWS, "eu-west-1", "AKIA", ACCOUNT)
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
    *key: str,
    arn: str | None = ARN,
    indexes: Mapping[str, tuple[str, ...]] | None = None,
    local: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What DescribeTable says of a table with these key attributes."""

    def schema(names: tuple[str, ...]) -> list[dict[str, str]]:
        return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]

    table: dict[str, Any] = {"KeySchema": schema(key), **({"TableArn": arn} if arn else {})}
    if indexes:
        table["GlobalSecondaryIndexes"] = [{"IndexName": n, "KeySchema": schema(k)} for n, k in indexes.items()]
    if local:
        table["LocalSecondaryIndexes"] = [{"IndexName": n, "KeySchema": schema((key[0], k))} for n, k in local.items()]
    return made(Table=table)


class DynamoDB:
    """Gives each operation its answer in `answers`, and notes what was sent.

    A list is used up, except for its last answer. An operation without an answer is refused.
    """

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
        """The operations that were sent since the last call of this method."""
        operations = [operation for operation, _ in self.sent]
        self.sent = []
        return operations

    def last_params(self, name: str) -> Any:
        """A parameter of the last request; None if the request had none of this name."""
        return self.sent[-1][1].get(name)


class Clock:
    """A clock that the test sets, in seconds, and a wall clock that goes with it unless the test moves it apart."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wall_is_ahead = 0.0
        """More than 0 after the machine was frozen, less than 0 after the wall clock was set back."""

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        """The wall clock's time, in seconds since 1970."""
        return 1_800_000_000.0 + self.now + self.wall_is_ahead


class ScriptedClient:
    """A wrapped client on a scripted DynamoDB with one table.

    The table's schema is configured; with `schema=None` it has to be described.
    """

    def __init__(
        self,
        *,
        schema: TableSchema | None = SCHEMA,
        config: Mapping[str, Any] | None = None,
        scope: Scope = SCOPE,
        cache: Cache | None = None,
        dynamodb: Callable[[str, Params], dict[str, Any]] | None = None,
        **answers: Answer | list[Answer],
    ) -> None:
        self.clock = Clock()
        settings: dict[str, Any] = {"jitter": 0.0, **(config or {})}
        settings.setdefault("tables", {TABLE: TableConfig(schema=schema)})
        self.cache = cache or Cache(CacheConfig(**settings), clock=self.clock, wall_clock=self.clock.wall)
        self.memory = self.cache._memory
        self.dynamodb: Any = dynamodb or DynamoDB(**answers)
        self.dispatcher = Dispatcher(Context(self.memory, Typed(), self.memory.names(scope)), self.dynamodb)

    def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        if "TableName" not in params and not {"RequestItems", "TransactItems", "Statement", "Statements"} & set(params):
            params["TableName"] = TABLE
        return self.dispatcher.call(operation, params)

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
        return is_hit(response)


def page(*items: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    """A page of a Query or a Scan."""
    return made(Items=list(items), Count=len(items), ScannedCount=len(items), **members)


ALL_INDEXES = TableSchema(SCHEMA.key, SCHEMA.global_indexes, {"local": KeySchema.of("pk", "age")})


def answering_client(**settings: Any) -> ScriptedClient:
    """A client whose DynamoDB answers every operation. Its table has a global and a local index."""
    operations = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "ExecuteStatement")
    more = ("BatchExecuteStatement", "ExecuteTransaction", "DeleteTable", "TransactGetItems", "SearchVectors")
    answers: dict[str, Any] = {operation: made() for operation in (*operations, *more)}
    answers |= {"GetItem": made(Item=ITEM), "Query": page(ITEM), "Scan": page(ITEM), "GetItemsOfTheYear2030": made()}
    answers["BatchGetItem"] = made(Responses={TABLE: [ITEM]}, UnprocessedKeys={})
    answers["DescribeTable"] = description("pk", indexes={"by_owner": ("owner", "age")}, local={"local": "age"})
    return ScriptedClient(**{"schema": ALL_INDEXES, **answers, **settings})
