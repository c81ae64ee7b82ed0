"""What becomes of a write that botocore tries again by itself: real clients, against a server that follows a script.

A reply of the script is "ok", the code of an error, "500" or another status without a code, "reset" (the connection),
"garbage" (an error that is not JSON), or one of them with "cut ", whose checksum is then wrong.
"""

import json
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.retries.bucket import TokenBucket
from botocore.stub import Stubber
from moto import mock_aws

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.calls.outcomes import Outcome, outcome_of
from daxlite.core.attempts import Answer
from daxlite.edges.replies import attempts_of, look_at
from daxlite.edges.sending import call_checked
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE
from tests.wrapping.wire import HERE

SCHEMA = TableSchema(KeySchema.of("pk"), {"by_owner": KeySchema.of("owner", "age")})
THROTTLED, INVALID, CONDITION = (
    "ProvisionedThroughputExceededException",
    "ValidationException",
    "ConditionalCheckFailedException",
)
PUT: dict[str, Any] = {"TableName": TABLE, "Item": {**ITEM, "note": {"S": "new"}}}
WRITES: dict[str, dict[str, Any]] = {
    "PutItem": PUT,
    "UpdateItem": {"TableName": TABLE, "Key": KEY, "UpdateExpression": "REMOVE note"},
    "DeleteItem": {"TableName": TABLE, "Key": KEY},
    "BatchWriteItem": {"RequestItems": {TABLE: [{"PutRequest": {"Item": PUT["Item"]}}]}},
    "TransactWriteItems": {"TransactItems": [{"Put": PUT}]},
}
READS: dict[str, dict[str, Any]] = {
    "GetItem": {"Item": ITEM},
    "Query": {"Items": [ITEM], "Count": 1, "ScannedCount": 1},
    "DescribeEndpoints": {"Endpoints": []},
}


class Server:
    """Answers reads as ever, and writes by its script."""

    def __init__(self) -> None:
        self.script: list[str] = []
        self.reasons: list[str] = []
        self.before: dict[str, Any] | None = None
        """What a write tells of the old item, if it is asked for it."""
        self.sent: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_of_test": self}))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def reply(self, operation: str, asked: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        """What the script says, with its status and its body."""
        if operation in READS:
            return "ok", 200, READS[operation]
        self.sent.append(operation)
        said = self.script.pop(0)
        what = said.removeprefix("cut ")
        if what.isdigit():
            return said, int(what), {}
        if what == "garbage":
            return said, 400, {}
        if what in ("ok", "reset"):
            old = {"Attributes": self.before} if self.before and asked.get("ReturnValues") == "ALL_OLD" else {}
            return said, 200, old
        body: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{what}", "message": ""}
        if self.reasons:
            body["CancellationReasons"] = [{"Code": reason} for reason in self.reasons]
        return said, 400, body

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_of_test: ClassVar[Server]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said, status, members = self.server_of_test.reply(self.headers["x-amz-target"].rpartition(".")[2], asked)
        self.close_connection = True
        if said == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        body = b"<html>" if said == "garbage" else json.dumps(members).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-amz-crc32", str(zlib.crc32(body) ^ said.startswith("cut ")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def server(served: Server) -> Iterator[Server]:
    served.script, served.reasons, served.before, served.sent = [], [], None, []
    yield served
    assert served.script == [], "the script was not played to its end"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits between attempts; here it does not."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(TokenBucket, "acquire", lambda self, amount=1, block=True: True)


Make = Callable[..., Any]


@pytest.fixture
def make(server: Server) -> Iterator[Make]:
    made = []

    def client(mode: str = "standard", attempts: int = 3) -> Any:
        config = Config(retries={"total_max_attempts": attempts, "mode": mode})  # type: ignore[typeddict-item]
        made.append(boto3.client("dynamodb", **{**HERE, "endpoint_url": server.url, "config": config}))
        return made[-1]

    yield client
    for each in made:
        each.close()


def outcome(client: Any, operation: str = "PutItem", params: dict[str, Any] | None = None) -> Outcome:
    """What became of a write."""
    look_at(client)
    result: Any
    try:
        result = call_checked(client, operation, {**(WRITES[operation] if params is None else params)})
    except Exception as error:  # noqa: BLE001 - botocore has many
        result = error
    return outcome_of(result, attempts_of(result), is_batch=operation == "BatchWriteItem")


SCRIPTS: dict[Outcome, list[list[str]]] = {
    Outcome.APPLIED: [["ok"], [THROTTLED, "ok"], [THROTTLED, "ThrottlingException", "ok"]],
    Outcome.APPLIED_AGAIN: [
        ["500", "ok"],
        ["503", "ok"],
        ["reset", "ok"],
        ["cut ok", "ok"],
        ["cut " + THROTTLED, "ok"],
        ["reset", THROTTLED, "ok"],
        [THROTTLED, "500", "ok"],
    ],
    Outcome.REFUSED: [
        [INVALID],
        ["AccessDeniedException"],
        [THROTTLED, INVALID],
        [THROTTLED, THROTTLED, THROTTLED],
        ["ThrottlingException", THROTTLED, "AccessDeniedException"],
    ],
    Outcome.FAILED_CONDITION: [[CONDITION], [THROTTLED, CONDITION], ["TransactionConflictException"]],
    Outcome.UNKNOWN: [
        ["reset", THROTTLED, THROTTLED],
        [THROTTLED, "reset", THROTTLED],
        [THROTTLED, THROTTLED, "reset"],
        ["reset", INVALID],
        ["500", CONDITION],
        ["500", "500", "500"],
        ["cut ok", THROTTLED, THROTTLED],
        [THROTTLED, THROTTLED, "cut " + THROTTLED],
        [THROTTLED, THROTTLED, "cut ok"],
        ["SomethingNewException"],
        [THROTTLED, "SomethingNewException"],
        ["garbage"],
        [THROTTLED, "garbage"],
        ["409"],
    ],
}
PLAYS = [(script, expected) for expected, scripts in SCRIPTS.items() for script in scripts]


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize(("script", "expected"), PLAYS, ids=lambda each: " ".join(each) if type(each) is list else each)
def test_p9_the_outcome_of_a_write_follows_from_each_of_its_attempts(
    server: Server, make: Make, mode: str, script: list[str], expected: Outcome
) -> None:
    server.script = [*script]
    assert outcome(make(mode)) is expected
    assert len(server.sent) == len(script)


@pytest.mark.parametrize("script", [[THROTTLED], ["reset"], ["ok"], ["cut " + THROTTLED]], ids=str)
@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_p9_a_client_that_tries_once(server: Server, make: Make, mode: str, script: list[str]) -> None:
    server.script = [*script]
    expected = {THROTTLED: Outcome.REFUSED, "ok": Outcome.APPLIED}.get(script[0], Outcome.UNKNOWN)
    assert outcome(make(mode, attempts=1)) is expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([THROTTLED, "ok"], Outcome.APPLIED),
        (["reset", "ok"], Outcome.APPLIED_AGAIN),
        ([THROTTLED, THROTTLED, THROTTLED], Outcome.REFUSED),
        (["AccessDeniedException"], Outcome.REFUSED),
        # It is one of the writes that was invalid: what became of the others is not certain.
        ([INVALID], Outcome.UNKNOWN),
        (["ItemCollectionSizeLimitExceededException"], Outcome.UNKNOWN),
        ([CONDITION], Outcome.UNKNOWN),
        (["reset", THROTTLED, THROTTLED], Outcome.UNKNOWN),
    ],
    ids=str,
)
def test_p9_a_batch_is_refused_as_a_whole_or_its_outcome_is_unknown(
    server: Server, make: Make, script: list[str], expected: Outcome
) -> None:
    server.script = [*script]
    assert outcome(make(), "BatchWriteItem") is expected


CANCELLED = "TransactionCanceledException"


@pytest.mark.parametrize(
    ("reasons", "script", "expected"),
    [
        ([], [THROTTLED, "ok"], Outcome.APPLIED),
        ([], ["TransactionInProgressException", "ok"], Outcome.APPLIED_AGAIN),
        ([], [THROTTLED, THROTTLED, THROTTLED], Outcome.REFUSED),
        ([], [CANCELLED], Outcome.FAILED_CONDITION),
        (["None"], [CANCELLED], Outcome.FAILED_CONDITION),
        (["None", "ConditionalCheckFailed"], [THROTTLED, CANCELLED], Outcome.FAILED_CONDITION),
        (["TransactionConflict"], [CANCELLED], Outcome.FAILED_CONDITION),
        (["ThrottlingError", "ConditionalCheckFailed"], [CANCELLED], Outcome.FAILED_CONDITION),
        (["SomethingNew"], [CANCELLED], Outcome.FAILED_CONDITION),
        (["None", "ThrottlingError"], [CANCELLED], Outcome.REFUSED),
        (["ProvisionedThroughputExceeded", "ValidationError"], [THROTTLED, CANCELLED], Outcome.REFUSED),
        (["None", "ThrottlingError"], ["reset", CANCELLED], Outcome.UNKNOWN),
        (["ConditionalCheckFailed"], ["500", CANCELLED], Outcome.UNKNOWN),
    ],
    ids=str,
)
def test_p9_a_transaction_is_refused_if_it_was_cancelled_for_no_other_reason(
    server: Server, make: Make, reasons: list[str], script: list[str], expected: Outcome
) -> None:
    server.script, server.reasons = [*script], reasons
    # In legacy mode, which alone knows a transaction that is still in progress.
    assert outcome(make("legacy"), "TransactWriteItems") is expected


@pytest.mark.parametrize(("status", "expected"), [(400, Outcome.REFUSED), (500, Outcome.UNKNOWN), (0, Outcome.UNKNOWN)])
def test_p9_a_refusal_is_an_error_of_the_callers(status: int, expected: Outcome) -> None:
    response: Any = {"Error": {"Code": INVALID}, "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0}}
    assert outcome_of(ClientError(response, "PutItem"), ()) is expected
    response["ResponseMetadata"]["RetryAttempts"] = 1
    before = Answer(status, THROTTLED)
    assert outcome_of(ClientError(response, "PutItem"), (before, Answer(status, INVALID))) is expected


@pytest.mark.parametrize(
    "attempts",
    [(), (Answer(200),), (Answer(400, THROTTLED),) * 2 + (Answer(200),), (Answer(200), Answer(200))],
    ids=["none", "too few", "too many", "one that was applied"],
)
def test_p9_attempts_that_are_not_accounted_for_are_of_unknown_outcome(attempts: Any) -> None:
    assert outcome_of({"ResponseMetadata": {"RetryAttempts": 1}}, attempts) is Outcome.APPLIED_AGAIN


def test_p9_what_says_nothing_of_its_attempts_is_of_unknown_outcome(make: Make) -> None:
    client = make()
    with Stubber(client) as stubber:
        stubber.add_response("put_item", {})
        stubber.add_client_error("put_item", THROTTLED)
        assert outcome(client) is Outcome.APPLIED_AGAIN
        assert outcome(client) is Outcome.UNKNOWN
    assert outcome(client, params={}) is Outcome.REFUSED, "botocore did not send it"


def test_p9_the_outcomes_of_moto_in_the_process_are_known() -> None:
    """It answers in a hook, before anything is sent."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="-", aws_secret_access_key="-")
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        absent = {"ConditionExpression": "attribute_not_exists(pk)"}
        assert [outcome(client, operation) for operation in WRITES] == [Outcome.APPLIED] * len(WRITES)
        assert outcome(client, "PutItem", {**PUT, **absent}) is Outcome.FAILED_CONDITION
        transaction = {"TransactItems": [{"Put": {**PUT, **absent}}]}
        assert outcome(client, "TransactWriteItems", transaction) is Outcome.FAILED_CONDITION
        assert outcome(client, "PutItem", {"TableName": TABLE, "Item": {"other": KEY["pk"]}}) is Outcome.REFUSED
        client.close()


def test_which_outcomes_are_certain() -> None:
    uncertain = {each for each in Outcome if not each.is_certain}
    assert uncertain == {Outcome.APPLIED_AGAIN, Outcome.UNKNOWN}


# Hooks that make calls of their own


@pytest.mark.parametrize("event", ["before-sign", "before-send", "response-received", "needs-retry"])
@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("within_it", [[INVALID], [THROTTLED, INVALID]], ids=str)
def test_p9_a_call_within_a_call_is_not_taken_for_one_of_its_attempts(
    server: Server, make: Make, event: str, is_before: bool, within_it: list[str]
) -> None:
    """Through the plain client, so that only the hooks see it. is_before: the hook runs before daxlite's own."""
    client, other = make(), make()
    look_at(client)
    look_at(other)
    calls: list[str] = []

    def within(**_: Any) -> None:
        calls.append(event)
        if len(calls) == 1:
            with pytest.raises(ClientError, match=INVALID):
                other.put_item(**PUT)

    client.meta.events.register(f"{event}.dynamodb.PutItem" if is_before else f"{event}.dynamodb", within)
    # The attempt of the outer call is lost; those of the inner one are refused.
    lost = [*within_it, "reset"] if event in ("before-sign", "before-send") else ["reset", *within_it]
    server.script = [*lost, INVALID]
    assert outcome(client) is Outcome.UNKNOWN


@pytest.mark.parametrize("script", [[THROTTLED, "ok"], ["reset", "ok"]], ids=str)
def test_a_checked_call_within_a_checked_call_leaves_it_alone(server: Server, make: Make, script: list[str]) -> None:
    client, other = make(), make()
    found = []

    def within(**_: Any) -> None:
        if not found:
            server.script[:0] = ["reset", "ok"]
            found.append(outcome(other))

    client.meta.events.register("before-send.dynamodb", within)
    server.script = [*script]
    assert outcome(client) is (Outcome.APPLIED if script[0] == THROTTLED else Outcome.APPLIED_AGAIN)
    assert found == [Outcome.APPLIED_AGAIN]


def test_a_call_within_a_call_that_was_sent_once_leaves_no_doubt_of_it(server: Server, make: Make) -> None:
    client, other = make(), make()
    look_at(other)
    reading_in(client, other, "before-send")
    server.script = ["ok", INVALID]
    assert [outcome(client), outcome(client)] == [Outcome.APPLIED, Outcome.REFUSED], "botocore says so itself"


def test_p9_that_the_reply_to_a_call_within_a_call_is_whole_says_nothing_of_the_other(
    server: Server, make: Make
) -> None:
    client, other = make(attempts=1), make()
    look_at(other)
    reading_in(client, other, "response-received")
    server.script = ["cut ok"]
    assert outcome(client) is Outcome.UNKNOWN


def reading_in(client: Any, other: Any, event: str) -> None:
    """Have a hook of one client read through another one."""

    def read(**_: Any) -> None:
        other.get_item(TableName=TABLE, Key=KEY)

    client.meta.events.register_first(f"{event}.dynamodb", read)


def test_p9_a_retry_that_the_application_asks_for_has_been_applied_before(server: Server, make: Make) -> None:
    client = make()

    def again(attempts: int, **_: Any) -> float | None:
        return 0.0 if attempts == 1 else None

    client.meta.events.register("needs-retry.dynamodb.PutItem", again)
    server.script = ["ok", INVALID]
    assert outcome(client) is Outcome.UNKNOWN


def test_what_was_seen_of_a_call_belongs_to_its_own_result(server: Server, make: Make) -> None:
    client = make()
    look_at(client)
    server.script = [THROTTLED, "ok", "500", "ok"]
    response = call_checked(client, "PutItem", PUT)
    client.put_item(**PUT)
    assert attempts_of(response) == (Answer(400, THROTTLED), Answer(200)), "another call left it alone"
    assert attempts_of({**response}) == ()


# In the cache


def wrapped(raw: Any) -> Any:
    return daxlite.wrap(raw, Cache(CacheConfig(tables={TABLE: TableConfig(schema=SCHEMA)})))


def get(client: Any) -> Any:
    return client.get_item(TableName=TABLE, Key=KEY)


def by_owner(client: Any, owner: str = "ann") -> Any:
    return client.query(
        TableName=TABLE,
        IndexName="by_owner",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": owner}},
    )


@pytest.mark.parametrize("operation", WRITES)
def test_p9_throttling_does_not_empty_the_cache(server: Server, make: Make, operation: str) -> None:
    client = wrapped(make())
    get(client), by_owner(client)
    server.script = [THROTTLED] * 3
    with pytest.raises(ClientError, match=THROTTLED):
        client._make_api_call(operation, WRITES[operation])
    assert is_hit(get(client))
    assert is_hit(by_owner(client))
    server.script = [THROTTLED, "reset", THROTTLED]
    with pytest.raises(ClientError, match=THROTTLED):
        client._make_api_call(operation, WRITES[operation])
    assert not is_hit(get(client)), "the second attempt may have been applied"
    assert not is_hit(by_owner(client))


@pytest.mark.parametrize("operation", ["PutItem", "DeleteItem", "BatchWriteItem"])
def test_p9_a_write_that_was_throttled_before_leaves_what_it_wrote(server: Server, make: Make, operation: str) -> None:
    for first, is_left in (([THROTTLED, THROTTLED], True), (["reset"], False)):
        client = wrapped(make())
        server.script = [*first, "ok"]
        client._make_api_call(operation, WRITES[operation])
        found = get(client)
        assert is_hit(found) == is_left
        if is_left:
            assert found.get("Item") == (None if operation == "DeleteItem" else PUT["Item"])


def test_p9_a_transaction_that_botocore_sent_again_leaves_what_it_wrote_if_it_was_only_throttled(
    server: Server, make: Make
) -> None:
    for first, is_left in (([], True), ([THROTTLED], True), (["500"], False)):
        client = wrapped(make())
        server.script = [*first, "ok"]
        client.transact_write_items(**WRITES["TransactWriteItems"])
        assert is_hit(get(client)) == is_left


def test_p4_the_old_image_of_a_write_that_was_throttled_before_is_believed(server: Server, make: Make) -> None:
    for first, is_left in (([THROTTLED], True), (["reset"], False)):
        client = wrapped(make())
        for owner in ("ann", "bob"):
            by_owner(client, owner)
        server.script, server.before = [*first, "ok"], ITEM
        client.put_item(**PUT)
        assert not is_hit(by_owner(client, "ann")), "the item was and is there"
        assert is_hit(by_owner(client, "bob")) == is_left, "it never was there, if the old image is true"


def test_p9_a_failed_condition_after_throttling_leaves_the_index_alone(server: Server, make: Make) -> None:
    for first, is_left in (([THROTTLED], True), (["reset"], False)):
        client = wrapped(make())
        get(client), by_owner(client)
        server.script = [*first, CONDITION]
        with pytest.raises(ClientError, match=CONDITION):
            client.put_item(**PUT, ConditionExpression="attribute_not_exists(pk)")
        assert not is_hit(get(client))
        assert is_hit(by_owner(client)) == is_left


def test_an_addition_that_is_refused_after_throttling_is_left_out(server: Server, make: Make) -> None:
    """IAM may forbid to see what one may change: then the write is sent as the application made it."""
    client = wrapped(make())
    server.script = [THROTTLED, "AccessDeniedException", "ok"]
    client.put_item(**PUT)
    assert get(client)["Item"] == PUT["Item"]
    server.script = ["reset", "AccessDeniedException"]
    client = wrapped(make())
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_item(**PUT)
