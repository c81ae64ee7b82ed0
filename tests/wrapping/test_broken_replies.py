"""A reply that did not arrive whole is the application's, but nothing follows from it: it may lack anything.

In botocore's standard retry mode a reply whose checksum stays wrong comes back without members and without an error.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.core.replies import is_whole, may_be_whole
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE
from tests.wrapping.wire import HERE, reply_of

SCHEMA = TableSchema(KeySchema.of("pk"))
BATCH = {"RequestItems": {TABLE: {"Keys": [KEY]}}}
QUERY = {
    "TableName": TABLE,
    "KeyConditionExpression": "pk = :p",
    "ExpressionAttributeValues": {":p": KEY["pk"]},
}
REPLIES: dict[str, Any] = {
    "GetItem": {"Item": ITEM},
    "Query": {"Items": [ITEM], "Count": 1, "ScannedCount": 1},
    "Scan": {"Items": [ITEM], "Count": 1, "ScannedCount": 1},
    "BatchGetItem": {"Responses": {TABLE: [ITEM]}, "UnprocessedKeys": {}},
    "PutItem": {"Attributes": ITEM},
    "UpdateItem": {"Attributes": ITEM},
    "DeleteItem": {"Attributes": ITEM},
    "DescribeTable": {"Table": {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "TableName": TABLE}},
    "DescribeTimeToLive": {},
}
READS: dict[str, Callable[[Any], Any]] = {
    "GetItem": lambda client: client.get_item(TableName=TABLE, Key=KEY).get("Item"),
    "Query": lambda client: client.query(**QUERY).get("Items"),
    "Scan": lambda client: client.scan(TableName=TABLE).get("Items"),
    "BatchGetItem": lambda client: client.batch_get_item(**BATCH).get("Responses"),
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "PutItem": lambda client: client.put_item(TableName=TABLE, Item=ITEM, ReturnValues="ALL_OLD"),
    "UpdateItem": lambda client: client.update_item(TableName=TABLE, Key=KEY, UpdateExpression="REMOVE x"),
    "DeleteItem": lambda client: client.delete_item(TableName=TABLE, Key=KEY, ReturnValues="ALL_OLD"),
}


class Server:
    """Answers each operation, and breaks the replies of one."""

    def __init__(self) -> None:
        self.breaks: Callable[[str, bytes], Any] | None = None

    def __call__(self, request: Any, event_name: str, **_: Any) -> Any:
        operation = event_name.rpartition(".")[2]
        body = json.dumps(REPLIES[operation]).encode()
        broken = None if self.breaks is None else self.breaks(operation, body)
        return reply_of(body) if broken is None else broken


def cut(operation: str, at: int, *, whose_length: str) -> Callable[[str, bytes], Any]:
    """Break the replies of an operation at a byte. whose_length: of the "whole" body, of what is left ("cut"), or "no"
    length at all."""

    def broken(each: str, body: bytes) -> Any:
        if each != operation:
            return None
        length = {"whole": len(body), "cut": at}.get(whose_length)
        headers = {} if length is None else {"content_length": str(length)}
        reply = reply_of(body[:at], x_amz_crc32=str(zlib.crc32(body)), **headers)
        if length is None:
            del reply.headers["content-length"]
        return reply

    return broken


@pytest.fixture(params=["standard", "legacy"], scope="module")
def raw(request: pytest.FixtureRequest) -> Iterator[Any]:
    config = Config(retries={"total_max_attempts": 1, "mode": request.param})
    made = boto3.client("dynamodb", **{**HERE, "config": config})
    yield made
    made.close()


@pytest.fixture
def server(raw: Any) -> Iterator[Server]:
    made = Server()
    raw.meta.events.register("before-send.dynamodb", made, unique_id="server")
    yield made
    raw.meta.events.unregister("before-send.dynamodb", made, unique_id="server")


def wrapped(raw: Any, schema: TableSchema | None = SCHEMA) -> Any:
    config = CacheConfig(settle_window=0, tables={TABLE: TableConfig(schema=schema)})
    return daxlite.wrap(raw, Cache(config))


def quietly(call: Callable[[Any], Any], client: Any) -> Any:
    """What a call returns; legacy mode raises for a checksum that is wrong."""
    try:
        return call(client)
    except Exception as error:  # noqa: BLE001 - whichever it is, the plain client would have raised it
        return type(error)


@pytest.mark.parametrize("whose_length", ["whole", "cut", "no"])
@pytest.mark.parametrize("operation", READS)
def test_p3_a_read_that_was_cut_at_any_byte_is_not_stored(
    raw: Any, server: Server, operation: str, whose_length: str
) -> None:
    read, client = READS[operation], wrapped(raw)
    whole = read(raw)
    # In legacy mode each of them raises.
    step = 1 if raw.meta.config.retries["mode"] == "standard" else 4
    for at in range(0, len(json.dumps(REPLIES[operation])), step):
        server.breaks = cut(operation, at, whose_length=whose_length)
        assert quietly(read, client) == quietly(read, raw), "the application gets what the plain client gets"
        server.breaks = None
        assert read(client) == whole, f"cut at {at}, the reply was believed"
        client = wrapped(raw)


@pytest.mark.parametrize("operation", WRITES)
def test_p9_a_write_whose_reply_was_cut_is_one_of_unknown_outcome(raw: Any, server: Server, operation: str) -> None:
    for at in (0, 1, 5, 20):
        client = wrapped(raw)
        assert READS["GetItem"](client) == ITEM
        server.breaks = cut(operation, at, whose_length="cut")
        expected = quietly(WRITES[operation], raw)
        response = quietly(WRITES[operation], client)
        if isinstance(response, dict):
            assert response.keys() == expected.keys()
        server.breaks = None
        assert not is_hit(client.get_item(TableName=TABLE, Key=KEY)), "the item was left in the cache"


def test_a_description_that_was_cut_is_not_believed(raw: Any, server: Server) -> None:
    client = wrapped(raw, schema=None)
    server.breaks = cut("DescribeTable", 10, whose_length="cut")
    assert READS["Query"](client) == [ITEM]
    assert READS["Query"](client) == [ITEM]


def test_a_bit_that_fell_over_is_noticed_by_the_checksum(raw: Any, server: Server) -> None:
    """The reply is well-formed JSON, and says something else."""
    client = wrapped(raw)

    def other(operation: str, body: bytes) -> Any:
        return reply_of(body.replace(b"ann", b"bob"), x_amz_crc32=str(zlib.crc32(body)))

    server.breaks = other
    quietly(READS["GetItem"], client)
    server.breaks = None
    assert READS["GetItem"](client) == ITEM


def test_an_honest_empty_reply_is_believed(raw: Any, server: Server) -> None:
    client = wrapped(raw)
    server.breaks = lambda operation, body: reply_of(b"{}")
    assert READS["GetItem"](client) is None
    assert is_hit(client.get_item(TableName=TABLE, Key=KEY))


@pytest.mark.parametrize(
    ("body", "headers", "whole"),
    [
        (b"{}", {}, True),
        (b"", {}, True),
        (b"{}", {"content-length": "2"}, True),
        (b"{}", {"content-length": "3"}, False),
        (b"{}", {"x-amz-crc32": "2745614147"}, True),
        (b"{ }", {"x-amz-crc32": "2745614147"}, False),
        (b"", {"content-length": "2", "content-encoding": "gzip"}, True),
    ],
)
def test_whether_a_reply_is_whole(body: bytes, headers: dict[str, str], whole: bool) -> None:
    assert is_whole(body, headers) is whole


@pytest.mark.parametrize(
    ("response", "whole"),
    [
        ({}, True),
        ({"ResponseMetadata": {}}, True),
        ({"ResponseMetadata": {"HTTPHeaders": {"content-length": "2"}}}, True),
        ({"ResponseMetadata": {"HTTPHeaders": {"content-length": "50"}}}, False),
        ({"ResponseMetadata": {"HTTPHeaders": {"x-amz-crc32": "1"}}}, False),
        ({"Item": {}, "ResponseMetadata": {"HTTPHeaders": {"content-length": "50"}}}, True),
    ],
)
def test_whether_a_response_may_be_whole_of_which_the_body_was_not_seen(response: dict[str, Any], whole: bool) -> None:
    assert may_be_whole(response) is whole
