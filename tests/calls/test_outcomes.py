"""Writes that fail: what may have been applied anyway is dropped, what cannot have been stays (promise P9)."""

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ParamValidationError,
    ReadTimeoutError,
)

from tests.scripted_client import ALL_INDEXES, ITEM, KEY, TABLE, ScriptedClient, made, page, refused

PUT = {"TableName": TABLE, "Item": ITEM}
UPDATE = {
    "TableName": TABLE,
    "Key": KEY,
    "UpdateExpression": "SET note = :n",
    "ExpressionAttributeValues": {":n": {"S": "y"}},
}
DELETE = {"TableName": TABLE, "Key": KEY}
DELETE_STATEMENT = "DELETE FROM \"T\" WHERE pk = 'a'"
WRITES: dict[str, dict[str, Any]] = {
    "PutItem": PUT,
    "UpdateItem": UPDATE,
    "DeleteItem": DELETE,
    "BatchWriteItem": {"RequestItems": {TABLE: [{"DeleteRequest": {"Key": KEY}}]}},
    "TransactWriteItems": {"TransactItems": [{"Put": PUT}]},
    "ExecuteStatement": {"Statement": DELETE_STATEMENT},
    "BatchExecuteStatement": {"Statements": [{"Statement": DELETE_STATEMENT}]},
    "ExecuteTransaction": {"TransactStatements": [{"Statement": DELETE_STATEMENT}]},
    "UpdateItemInTheYear2030": {"TableName": TABLE},
}
URL = {"endpoint_url": "http://127.0.0.1"}
IN_DOUBT = {
    "read timeout": ReadTimeoutError(**URL),
    "connection lost": ConnectionClosedError(**URL),
    "connection refused": EndpointConnectionError(**URL),
    "broken reply": HTTPClientError(error=ValueError("short read")),
    "internal error": refused("InternalServerError", status=500),
    "unavailable": refused("ServiceUnavailable", status=503),
    "an error of the future": refused("SomethingNewException"),
    "condition failed": refused("ConditionalCheckFailedException"),
    "cancelled": refused("TransactionCanceledException"),
    "transaction conflict": refused("TransactionConflictException"),
    "refused after a retry": refused("ValidationException", retries=1),
    "throttled after a retry": refused("ThrottlingException", retries=3),
    "interrupted": KeyboardInterrupt(),
    "out of memory": MemoryError(),
}
CERTAIN = {
    "validation": refused("ValidationException"),
    "throttled": refused("ThrottlingException"),
    "throughput": refused("ProvisionedThroughputExceededException"),
    "never sent": ParamValidationError(report="Missing required parameter"),
}


def warm(**answers: Any) -> ScriptedClient:
    """A cache that answers three reads of one item: itself, its partition, and its partition in an index."""
    client = ScriptedClient(GetItem=made(Item=ITEM), Query=page(ITEM), **answers)
    assert not client.is_hit(client.get())
    assert not client.is_hit(client.query())
    assert not client.is_hit(client.by_owner("ann"))
    assert hits(client) == [True, True, True]
    client.dynamodb.take()
    return client


def hits(client: ScriptedClient) -> list[bool]:
    return [client.is_hit(response) for response in (client.get(), client.query(), client.by_owner("ann"))]


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("error", IN_DOUBT.values(), ids=IN_DOUBT)
def test_a_write_of_unknown_outcome_counts_as_a_change(operation: str, error: BaseException) -> None:
    client = warm(**{operation: error})
    with pytest.raises(type(error)) as raised:
        client.dispatcher.call(operation, WRITES[operation])
    assert raised.value is error, "the application must see DynamoDB's own error"
    # A failed condition changed nothing, so the index is left alone: only what names the item is suspect.
    is_condition = error in (IN_DOUBT[each] for each in ("condition failed", "cancelled", "transaction conflict"))
    assert hits(client) == [False, False, is_condition and operation in ("PutItem", "UpdateItem", "DeleteItem")]


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem"])
def test_p9_a_failed_condition_casts_doubt_on_what_a_local_index_told(operation: str) -> None:
    """A loop of optimistic locking that reads through the index would otherwise never end."""
    failed = refused("ConditionalCheckFailedException")
    client = ScriptedClient(schema=ALL_INDEXES, Query=page(ITEM), **{operation: failed})
    client.query(IndexName="local")
    assert client.is_hit(client.query(IndexName="local"))
    with pytest.raises(ClientError):
        client.dispatcher.call(operation, WRITES[operation])
    assert not client.is_hit(client.query(IndexName="local"))


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem"])
def test_a_failed_condition_after_a_retry_is_an_unknown_outcome(operation: str) -> None:
    """The condition may have failed because the first attempt was applied, and moved the item within the index."""
    lab = warm(**{operation: refused("ConditionalCheckFailedException", retries=1)})
    moving = {**UPDATE, "UpdateExpression": "SET #o = :n", "ExpressionAttributeNames": {"#o": "owner"}}
    with pytest.raises(ClientError):
        lab.dispatcher.call(operation, moving if operation == "UpdateItem" else WRITES[operation])
    assert hits(lab) == [False, False, False]


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("error", CERTAIN.values(), ids=CERTAIN)
def test_a_write_that_was_refused_at_once_leaves_the_cache_alone(operation: str, error: Exception) -> None:
    client = warm(**{operation: error})
    with pytest.raises(type(error)):
        client.dispatcher.call(operation, WRITES[operation])
    # A batch is many writes, and perhaps only one of them was invalid.
    stays = not operation.startswith("Batch") or error is not CERTAIN["validation"]
    assert hits(client) == [stays] * 3


@pytest.mark.parametrize("operation", WRITES)
def test_a_write_that_succeeded_is_seen(operation: str) -> None:
    client = warm(**{operation: made(Attributes=ITEM) if operation in ("PutItem", "DeleteItem") else made()})
    client.dispatcher.call(operation, WRITES[operation])
    if operation in ("PutItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"):
        assert client.is_hit(client.get()), "the new state is known"
        assert client.get().get("Item") == (ITEM if operation in ("PutItem", "TransactWriteItems") else None)
    else:
        assert not client.is_hit(client.get())
    assert not client.is_hit(client.query())
    assert not client.is_hit(client.by_owner("ann"))


def test_an_optimistic_lock_loop_does_not_spin_on_its_own_stale_item() -> None:
    """The application reads version 1 from the cache while DynamoDB has version 2."""
    client = ScriptedClient(
        GetItem=[made(Item={**KEY, "version": {"N": "1"}}), made(Item={**KEY, "version": {"N": "2"}})],
        PutItem=lambda params: made() if params["Item"]["version"]["N"] == "3" else raise_condition(),
    )
    turns = 0
    while True:
        turns += 1
        version = int(client.get()["Item"]["version"]["N"])
        try:
            client.put({**KEY, "version": {"N": str(version + 1)}}, ConditionExpression="version = :v")
            break
        except ClientError:
            if turns == 3:
                break
    assert turns == 2


def raise_condition() -> dict[str, Any]:
    raise refused("ConditionalCheckFailedException")


@pytest.mark.parametrize("operation", ["GetItem", "Query", "Scan"])
def test_a_table_that_is_gone_takes_its_answers_along(operation: str) -> None:
    client = warm()
    client.dynamodb.answers[operation] = refused("ResourceNotFoundException")
    other = {"pk": {"S": "other"}}
    with pytest.raises(Exception, match="ResourceNotFound"):
        {"GetItem": lambda: client.get(Key=other), "Query": lambda: client.query(value=other["pk"])}.get(
            operation, lambda: client("Scan")
        )()
    client.dynamodb.answers[operation] = made() if operation == "GetItem" else page()
    assert hits(client) == [False, False, False]


@pytest.mark.parametrize("operation", ["BatchWriteItem", "TransactWriteItems", "ExecuteStatement"])
def test_a_write_to_a_table_that_is_gone_takes_its_item_along(operation: str) -> None:
    client = warm(**{operation: refused("ResourceNotFoundException")})
    with pytest.raises(Exception, match="ResourceNotFound"):
        client.dispatcher.call(operation, WRITES[operation])
    assert hits(client) == [False, False, False]


def test_a_cancelled_transaction_casts_doubt_on_its_condition_checks() -> None:
    check = {"ConditionCheck": {"TableName": TABLE, "Key": KEY, "ConditionExpression": "attribute_exists(pk)"}}
    other = {"Put": {"TableName": TABLE, "Item": {"pk": {"S": "other"}}}}
    client = warm(TransactWriteItems=[made(), refused("TransactionCanceledException")])
    client("TransactWriteItems", TransactItems=[check, other])
    assert client.is_hit(client.get()), "a condition that held changes nothing"
    with pytest.raises(Exception, match="TransactionCanceled"):
        client("TransactWriteItems", TransactItems=[check, other])
    assert not client.is_hit(client.get())


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "InternalServerError"])
def test_a_failed_read_stores_nothing_and_drops_nothing(code: str) -> None:
    client = warm()
    client.dynamodb.answers["GetItem"] = refused(code)
    other = {"pk": {"S": "other"}}
    for _ in range(2):
        with pytest.raises(Exception, match=code):
            client.get(Key=other)
    client.dynamodb.answers["GetItem"] = made(Item=other)
    assert not client.is_hit(client.get(Key=other))
    assert hits(client) == [True, True, True]
