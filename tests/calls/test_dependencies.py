"""What a read depends on is announced before it is sent, and what a write bumped before it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

import daxlite
from daxlite import KeySchema, TableConfig, TableSchema
from daxlite.cache import state
from daxlite.calls import dependencies
from daxlite.calls.listeners import add_change_listener, remove_change_listener
from daxlite.calls.native import Native
from daxlite.core.changes import ABSENT, UNKNOWN, Change
from daxlite.core.extents import EVERYTHING
from daxlite.core.requests import ItemRead, PageRead
from daxlite.core.schema import item_key, partition_value
from daxlite.core.tables import Place, table_id
from daxlite.core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from tests.calls.listening import ChangeRecorder, ReadRecorder, listening
from tests.calls.test_reentry import interrupting
from tests.scripted_client import (
    ARN,
    ITEM,
    KEY,
    SCHEMA,
    SCOPE,
    TABLE,
    ScriptedClient,
    answering_client,
    description,
    made,
    page,
    refused,
)

T = table_id(SCOPE, TABLE).place
OTHER = {"pk": {"S": "b"}}


def item(key: Any = KEY, table: Place = T) -> set[Tag]:
    return {table_tag(table), item_tag(table, item_key(key))}


def partition(*values: Any, index: str | None = None) -> set[Tag]:
    return {table_tag(T), partition_tag(T, index, partition_value(values))}


ANYTHING = {table_tag(T), scan_tag(T, None)}
BY_ANN = partition({"S": "ann"}, index="by_owner") | {index_tag(T, "by_owner")}


def transaction(*keys: Any, **get: Any) -> dict[str, Any]:
    return {"TransactItems": [{"Get": {"TableName": TABLE, "Key": key, **get}} for key in keys]}


def select(text: str) -> dict[str, Any]:
    return {"Statement": text}


SELECT = "SELECT * FROM \"T\" WHERE pk = 'a'"
BY_KEY = {"KeyConditionExpression": "pk = :v", "ExpressionAttributeValues": {":v": {"S": "a"}}}
LEGACY = {"KeyConditions": {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}}
READS: dict[str, tuple[Callable[[ScriptedClient], Any], Any]] = {
    "get": (lambda client: client.get(), item()),
    "get a part": (lambda client: client.get(ProjectionExpression="note"), item()),
    "get by ARN": (lambda client: client.get(TableName=ARN), item()),
    "get strongly": (lambda client: client.get(ConsistentRead=True), item()),
    "get by legacy parameters": (lambda client: client.get(AttributesToGet=["note"]), item()),
    "get with a parameter of 2030": (lambda client: client.get(Sideways=True), ANYTHING),
    "get with an error in it": (lambda client: client.get(ProjectionExpression="name"), ANYTHING),
    "batch": (
        lambda client: client("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY, OTHER]}, "U": {"Keys": [KEY]}}),
        item() | item(OTHER) | item(table=table_id(SCOPE, "U").place),
    ),
    "batch, strongly": (
        lambda client: client("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY], "ConsistentRead": True}}),
        item(),
    ),
    "batch of 2030": (lambda client: client("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY], "Up": 1}}), ANYTHING),
    "query": (lambda client: client.query(), partition({"S": "a"})),
    "query strongly": (lambda client: client.query(ConsistentRead=True), partition({"S": "a"})),
    "query of a local index": (lambda client: client.query(IndexName="local"), partition({"S": "a"}, index="local")),
    "query of an index": (lambda client: client.by_owner("ann"), BY_ANN),
    "query of an unknown index": (lambda client: client.query(IndexName="new"), ANYTHING),
    "query by legacy parameters": (lambda client: client("Query", **LEGACY), partition({"S": "a"})),
    "query with a parameter of 2030": (lambda client: client.query(Sideways=True), ANYTHING),
    "scan": (lambda client: client("Scan"), ANYTHING),
    "scan of an index": (lambda client: client("Scan", IndexName="by_owner"), {table_tag(T), scan_tag(T, "by_owner")}),
    "scan with a parameter of 2030": (lambda client: client("Scan", Sideways=True), ANYTHING),
    "transaction": (lambda client: client("TransactGetItems", **transaction(KEY, OTHER)), item() | item(OTHER)),
    "transaction of 2030": (lambda client: client("TransactGetItems", **transaction(KEY, Up=1)), ANYTHING),
    "statement": (lambda client: client("ExecuteStatement", **select(SELECT)), ANYTHING),
    "statement on an index": (lambda client: client("ExecuteStatement", **select('SELECT * FROM "T"."i"')), ANYTHING),
    "statement that is not plain": (
        lambda client: client("ExecuteStatement", **select('SELECT "FROM" FROM "T"')),
        None,
    ),
    "statements": (lambda client: client("BatchExecuteStatement", Statements=[select(SELECT)]), ANYTHING),
    "statements, one not plain": (
        lambda client: client("BatchExecuteStatement", Statements=[select(SELECT), select("SELECT 1")]),
        None,
    ),
    "transaction of statements": (
        lambda client: client.dispatcher.call("ExecuteTransaction", {"TransactStatements": [select(SELECT)]}),
        ANYTHING,
    ),
    "vectors": (lambda client: client("SearchVectors", IndexName="v"), ANYTHING),
    "operation of 2030": (lambda client: client("GetItemsOfTheYear2030"), ANYTHING),
    "operation of 2030, on unknown tables": (
        lambda client: client.dispatcher.call("GetItemsOfTheYear2030", {}),
        None,
    ),
}


@pytest.mark.parametrize("read", READS)
def test_what_a_read_depends_on_is_announced_once_and_before_it_is_sent(reads: ReadRecorder, read: str) -> None:
    call, expected = READS[read]
    client = answering_client()
    reads.look = lambda: (client.cache.stats().total.hits, client.cache.stats().total.misses, client.dynamodb.take())
    call(client)
    assert reads.take() == [expected]
    hits, misses, sent = reads.seen[0]
    assert (hits, misses, [each for each in sent if each != "DescribeTable"]) == (0, 0, [])
    call(client)
    assert reads.take() == [expected], "from the cache or not, it depends on the same"


@pytest.mark.parametrize("read", READS)
def test_the_answer_is_the_same_with_and_without_a_listener(read: str) -> None:
    call, _ = READS[read]
    plain, watched = answering_client(schema=None), answering_client(schema=None)
    for _ in range(2):
        expected = call(plain)
        with listening(ReadRecorder()):
            assert call(watched) == expected
    sent = [[each for each in client.dynamodb.take() if each != "DescribeTable"] for client in (plain, watched)]
    assert sent[0] == sent[1]


@pytest.mark.parametrize("read", [name for name, (_, tags) in READS.items() if tags is not None])
def test_the_first_read_of_a_table_is_announced_as_exactly_as_the_next(reads: ReadRecorder, read: str) -> None:
    """The account is not known either, before the table is described."""
    call, expected = READS[read]
    client = answering_client(schema=None, scope=SCOPE._replace(account=None))
    call(client)
    by_name = [
        {(tag.kind, tag.table.name, tag.index_name, tag.value) for tag in tags} for tags in (expected, *reads.announced)
    ]
    assert by_name[1:] == by_name[:1]
    assert client.dynamodb.take().count("DescribeTable") <= 2, "once for each table"


def test_the_table_is_the_one_that_it_turned_out_to_be(reads: ReadRecorder) -> None:
    answering_client(schema=None, scope=SCOPE._replace(account=None)).query()
    assert reads.take() == [partition({"S": "a"})]


def test_an_index_that_was_added_is_described_before_a_read_of_it_is_announced(reads: ReadRecorder) -> None:
    client = answering_client(schema=None, DescribeTable=description("pk"))
    client.query()
    client.clock.now += 60
    client.dynamodb.answers["DescribeTable"] = description("pk", indexes={"by_owner": ("owner", "age")})
    client.by_owner("ann")
    assert reads.take() == [partition({"S": "a"}), BY_ANN]


def test_without_a_description_the_tags_are_coarser(reads: ReadRecorder) -> None:
    client = answering_client(schema=None, DescribeTable=refused("AccessDeniedException"))
    client.query()
    client.get()
    assert reads.take() == [ANYTHING, item()]
    assert client.dynamodb.take() == ["DescribeTable", "Query", "GetItem"]


@pytest.mark.parametrize("settings", [{"enabled": False}, {"item_ttl": 0, "negative_ttl": 0, "query_ttl": 0}])
def test_a_read_around_the_cache_is_announced(reads: ReadRecorder, settings: dict[str, Any]) -> None:
    for schema, expected in ((SCHEMA, partition({"S": "a"})), (None, ANYTHING)):
        client = answering_client(config={"tables": {TABLE: TableConfig(schema=schema, **settings)}})
        client.dynamodb.answers["DescribeTable"] = refused("ThrottlingException")
        for _ in range(2):
            client.get()
            client.query()
        assert reads.take() == [item(), expected] * 2
        if not settings.get("enabled", True):
            assert client.dynamodb.take() == ["GetItem", "Query"] * 2, "a table that is switched off is never described"


def test_a_read_within_bypass_is_announced(reads: ReadRecorder) -> None:
    client = answering_client()
    with daxlite.bypass():
        client.get()
        client.query()
    assert reads.take() == [item(), partition({"S": "a"})]


def test_where_queries_are_left_to_their_ttl_they_depend_on_the_same(reads: ReadRecorder) -> None:
    answering_client(config={"query_invalidation": "ttl"}).by_owner("ann")
    assert reads.take() == [BY_ANN]


def test_a_resource_depends_on_the_same_items(reads: ReadRecorder) -> None:
    client = answering_client()
    client.dispatcher.context.dialect = Native(botocore.session.get_session().get_service_model("dynamodb"))
    client.get(Key={"pk": "a"})
    client("TransactGetItems", TransactItems=[{"Get": {"TableName": TABLE, "Key": {"pk": "a"}}}])
    assert reads.take() == [item(), item()]


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DescribeTable", {"TableName": TABLE}),
        ("ListTables", {}),
        ("PutItem", {"TableName": TABLE, "Item": ITEM}),
        ("ExecuteStatement", {"Statement": 'DELETE FROM "T"'}),
        ("DeleteTable", {"TableName": TABLE}),
    ],
)
def test_calls_that_read_no_items_are_not_announced(reads: ReadRecorder, operation: str, params: Any) -> None:
    answering_client(ListTables=made()).dispatcher.call(operation, params)
    assert reads.take() == []


def test_reads_without_a_listener_are_not_announced() -> None:
    client, reads = answering_client(), ReadRecorder()
    with listening(reads):
        pass
    client.get()
    assert reads.take() == []


def test_entries_that_the_read_listener_invalidates_are_read_anew(reads: ReadRecorder) -> None:
    client = answering_client()
    for read in (client.get, client.query, lambda: client.by_owner("ann")):
        read()
        assert client.is_hit(read())
        reads.look = lambda: client.memory.invalidate_tags([(tag, EVERYTHING, 0.0) for tag in reads.announced[-1]])
        assert not client.is_hit(read())
        reads.look = lambda: None
        if read is not client.get:
            client.clock.now += 10
            read()
        assert client.is_hit(read())


# Faults


@pytest.mark.faults_expected
@pytest.mark.parametrize("place", ["_is_read_strongly", "item_key", "table_tag", "read_query", "_on_tables"])
def test_p7_a_fault_of_an_announcement_does_not_reach_the_application(
    reads: ReadRecorder, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, place, lambda *_: 1 / 0)
    struck = 0
    for call, expected in READS.values():
        client = answering_client()
        assert call(client)["ResponseMetadata"]["HTTPStatusCode"] == 200
        faults = client.cache.stats().faults
        struck += faults
        assert reads.take() == [None if faults else expected]
        assert faults <= 1
    assert struck


@pytest.mark.faults_expected
@pytest.mark.parametrize("read", READS)
def test_p7_an_error_of_a_read_listener_does_not_reach_the_application(read: str) -> None:
    client = answering_client()
    with listening(ReadRecorder(lambda: 1 / 0)):
        assert READS[read][0](client)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert client.cache.stats().faults == 1


@pytest.mark.parametrize("params", [{}, {"TableName": TABLE}, {"TableName": 3, "Key": KEY}, {"Statements": None}])
@pytest.mark.parametrize("operation", ["GetItem", "Query", "BatchGetItem", "TransactGetItems", "BatchExecuteStatement"])
def test_a_request_that_is_none_is_no_fault_of_ours(
    reads: ReadRecorder, operation: str, params: dict[str, Any]
) -> None:
    client = ScriptedClient(**{operation: ParamValidationError(report="")})
    with pytest.raises(ParamValidationError):
        client.dispatcher.call(operation, params)
    assert len(reads.take()) == 1


def test_dynamodbs_errors_are_raised_unchanged(reads: ReadRecorder) -> None:
    client = answering_client(GetItem=refused("ThrottlingException"))
    with pytest.raises(ClientError, match="Throttling"):
        client.get()
    assert reads.take() == [item()]


def test_a_read_within_the_lock_of_its_own_thread_is_announced(
    reads: ReadRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = answering_client()
    client.get()
    reads.take()
    interrupting(client, monkeypatch, lambda: (client.query(), client.get()))
    client.put()
    assert reads.take() == [partition({"S": "a"}), item()]


# Changes

OLD = {**KEY, "owner": {"S": "bob"}, "age": {"N": "1"}}
BASE = item() - {table_tag(T)} | {scan_tag(T, None)} | partition({"S": "a"}) - {table_tag(T)}
LOCAL = {partition_tag(T, "local", partition_value([{"S": "a"}]))}
INDEX = {scan_tag(T, "by_owner")}
ANN, BOB = (
    {partition_tag(T, "by_owner", partition_value([{"S": owner}])), *INDEX, *BASE, *LOCAL} for owner in ("ann", "bob")
)
UNSEEN = BASE | INDEX | LOCAL | {index_tag(T, "by_owner")}
NOTE = {"UpdateExpression": "SET note = :n", "ExpressionAttributeValues": {":n": {"S": "y"}}}
PUT, DELETE = {"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": KEY}}
WRITES: dict[str, tuple[Callable[[ScriptedClient], Any], Any, Any]] = {
    "put": (lambda client: client.put(), ANN, UNSEEN),
    "update": (lambda client: client("UpdateItem", Key=KEY, **NOTE), ANN, UNSEEN),
    "delete": (lambda client: client("DeleteItem", Key=KEY), BASE, UNSEEN),
    "batch": (lambda client: client("BatchWriteItem", RequestItems={TABLE: [PUT]}), UNSEEN, UNSEEN),
    "transaction": (
        lambda client: client("TransactWriteItems", TransactItems=[{"Delete": {"TableName": TABLE, "Key": KEY}}]),
        UNSEEN,
        UNSEEN,
    ),
    "statement": (
        lambda client: client("ExecuteStatement", Statement='DELETE FROM "T"'),
        {table_tag(T)},
        {table_tag(T)},
    ),
    "statement that is not plain": (lambda client: client("ExecuteStatement", Statement="UPSERT"), None, None),
    "table": (lambda client: client("DeleteTable"), {table_tag(T)}, {table_tag(T)}),
    "anything of 2030": (lambda client: client.dispatcher.call("TurnTheWorld", {}), None, None),
    "put with no table": (lambda client: client.dispatcher.call("PutItem", {"Item": ITEM}), None, None),
}


def writing(**settings: Any) -> ScriptedClient:
    client = answering_client(TurnTheWorld=made(), **settings)
    client.dynamodb.answers |= {
        "UpdateItem": lambda params: made(Attributes=ITEM) if params.get("ReturnValues") == "ALL_NEW" else made()
    }
    return client


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.faults_expected  # a request with no table is one, as DynamoDB takes it here
def test_what_a_write_bumped_is_announced_once_and_before_it_returns(changes: ChangeRecorder, write: str) -> None:
    call, expected, _ = WRITES[write]
    client = writing()
    client.query()
    changes.look = lambda: (client.dynamodb.take(), client.is_hit(client.query()))
    call(client)
    assert changes.take() == [expected]
    assert changes.seen[0][0][-1] != "Query", "after it was sent"
    assert changes.seen[0][1] is False, "after the cache was made true"


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("error", "is_told"),
    [
        (refused("ValidationException"), False),
        (refused("AccessDeniedException"), False),
        (refused("ValidationException", retries=1), True),
        (refused("InternalServerError", status=500), True),
        (ReadTimeoutError(endpoint_url="https://here"), True),
        (KeyboardInterrupt(), True),
    ],
    ids=str,
)
@pytest.mark.faults_expected
def test_p9_a_failed_write_is_announced_unless_it_certainly_changed_nothing(
    changes: ChangeRecorder, write: str, error: BaseException, is_told: bool
) -> None:
    call, _, expected = WRITES[write]
    client = writing()
    for operation in {*client.dynamodb.answers} - {"DescribeTable", "GetItem", "Query"}:
        client.dynamodb.answers[operation] = error
    with pytest.raises(type(error)):
        call(client)
    if write == "batch" and "Validation" in str(error):
        is_told = True  # that DynamoDB refuses all of it for one of them is not for us to count on
    assert changes.take() == ([expected] if is_told else [])


def test_p9_a_failed_condition_is_announced(changes: ChangeRecorder) -> None:
    client = writing(PutItem=refused("ConditionalCheckFailedException"))
    with pytest.raises(ClientError):
        client.put(ConditionExpression="attribute_not_exists(pk)")
    expected = [BASE | LOCAL]
    assert changes.take() == expected, "what was read before is suspect; where the item lies in global indexes is not"


def test_a_missing_table_is_announced(changes: ChangeRecorder) -> None:
    missing = refused("ResourceNotFoundException")
    client = answering_client(GetItem=missing, BatchGetItem=missing, PutItem=missing)
    for call in (
        client.get,
        client.put,
        lambda: client("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY]}, "U": {"Keys": [KEY]}}),
    ):
        with pytest.raises(ClientError):
            call()
        told = changes.take()
        assert told[0] == {table_tag(T)}
        assert told[1:] in ([], [{table_tag(table_id(SCOPE, "U").place)}])


def test_a_batch_is_announced_once(changes: ChangeRecorder) -> None:
    client = writing()
    more = {"PutRequest": {"Item": {**ITEM, **OTHER}}}
    client("BatchWriteItem", RequestItems={TABLE: [PUT, more], "U": [DELETE]})
    [told] = changes.take()
    keys = [item_tag(T, item_key(KEY)), item_tag(T, item_key(OTHER))]
    assert told > {*keys, item_tag(table_id(SCOPE, "U").place, item_key(KEY))}
    assert table_tag(T) not in told


def test_reads_and_descriptions_are_not_announced_as_changes(changes: ChangeRecorder) -> None:
    client = answering_client(schema=None)
    for call, _ in READS.values():
        call(client)
    client.cache.clear()
    assert changes.take() == []


def test_without_a_schema_a_change_of_the_table_is_announced(changes: ChangeRecorder) -> None:
    client = writing(schema=None, DescribeTable=refused("AccessDeniedException"))
    client("DeleteItem", Key=KEY)
    assert changes.take() == [item() | {scan_tag(T, None)}]
    client.put()
    assert changes.take() == [item() | {scan_tag(T, None)}], "the delete showed which attributes are the key"


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        ("put", {table_tag(T)}),  # its key attributes are not known
        ("update", item() | {scan_tag(T, None)}),
        ("delete", item() | {scan_tag(T, None)}),
        ("batch", {table_tag(T)}),
        ("transaction", item() | {scan_tag(T, None)}),
        ("statement", {table_tag(T)}),
        ("table", {table_tag(T)}),
    ],
)
def test_a_write_to_a_table_that_is_switched_off_is_announced(
    changes: ChangeRecorder, write: str, expected: set[Tag]
) -> None:
    client = answering_client(config={"tables": {TABLE: TableConfig(enabled=False)}})
    changes.look = lambda: len(client.dynamodb.sent)
    WRITES[write][0](client)
    assert changes.take() == [expected]
    assert changes.seen == [1], "after it was sent, and nothing else was"
    assert "ReturnValues" not in client.dynamodb.sent[0][1]


def test_a_refused_write_to_a_table_that_is_switched_off_is_not_announced(changes: ChangeRecorder) -> None:
    config = {"tables": {TABLE: TableConfig(enabled=False)}}
    client = answering_client(
        config=config, PutItem=refused("ValidationException"), DeleteItem=refused("InternalServerError")
    )
    with pytest.raises(ClientError):
        client.put()
    assert changes.take() == []
    with pytest.raises(ClientError):
        client("DeleteItem", Key=KEY)
    assert changes.take() == [item() | {scan_tag(T, None)}]


@pytest.mark.faults_expected
@pytest.mark.parametrize("write", [name for name in WRITES if name != "anything of 2030"])
@pytest.mark.parametrize("place", ["apply", "_bump"])
def test_p7_after_a_fault_anything_is_announced_as_changed(
    changes: ChangeRecorder, write: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state.State, place, lambda *_, **__: 1 / 0)
    WRITES[write][0](writing())
    assert changes.take()[-1] is None


@pytest.mark.faults_expected
def test_a_fault_of_a_read_changed_nothing(changes: ChangeRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ItemRead, "tags", lambda *_: 1 / 0)
    monkeypatch.setattr(PageRead, "tags", lambda *_: 1 / 0)
    client = answering_client()
    for call, _ in READS.values():
        call(client)
    assert client.cache.stats().faults
    assert changes.take() == []


def test_p2_a_write_of_a_handler_within_the_lock_is_announced(
    changes: ChangeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = writing()
    inner: list[Any] = []
    interrupting(client, monkeypatch, lambda: (client.put(), inner.extend(changes.take())))
    client.put()
    assert inner == [None]


@pytest.mark.faults_expected
def test_p7_an_error_of_a_change_listener_does_not_reach_the_application() -> None:
    changes = ChangeRecorder(lambda: 1 / 0)
    add_change_listener(changes)
    client = writing()
    for write, _, _ in WRITES.values():
        assert write(client)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(changes.announced) == len(WRITES)
    remove_change_listener(changes)  # the record of what was logged keeps it alive


# Readers and writers that know different things of a table

OWNERS = st.none() | st.sampled_from(["ann", "bob"])
IMAGES = st.none() | st.fixed_dictionaries({"owner": OWNERS, "age": st.none() | st.just("1"), "note": OWNERS})


def image(pk: str, attributes: dict[str, str | None]) -> dict[str, Any]:
    kinds = {"age": "N"}
    return {
        "pk": {"S": pk},
        **{name: {kinds.get(name, "S"): value} for name, value in attributes.items() if value is not None},
    }


def answer(read: str, items: dict[str, Any]) -> Any:
    """What the read would return of these items."""
    every = [item for _, item in sorted(items.items())]
    in_index = [item for item in every if "owner" in item and "age" in item]
    return {
        "get": lambda: items.get("a"),
        "query": lambda: [item for item in every if item["pk"] == {"S": "a"}],
        "query of an index": lambda: [item for item in in_index if item["owner"] == {"S": "ann"}],
        "scan": lambda: every,
        "scan of an index": lambda: in_index,
        "transaction": lambda: (items.get("a"), items.get("b")),
        "statement": lambda: every,
    }[read]()


@given(
    st.sampled_from(["get", "query", "query of an index", "scan", "scan of an index", "transaction", "statement"]),
    st.sampled_from("ab"),
    IMAGES,
    IMAGES,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_p4_a_change_bumps_every_read_whose_answer_it_changes(
    read: str,
    pk: str,
    before: Any,
    after: Any,
    hide_old: bool,
    hide_new: bool,
    does_reader_know: bool,
    does_writer_know: bool,
) -> None:
    """In two processes, of which each may know the keys of the table or not."""
    old, new = (None if attributes is None else image(pk, attributes) for attributes in (before, after))
    elsewhere = {"b" if pk == "a" else "a": image("b" if pk == "a" else "a", {"owner": "ann", "age": "1"})}
    forbidden = refused("AccessDeniedException")
    reader = answering_client(schema=SCHEMA if does_reader_know else None, DescribeTable=forbidden)
    writer = answering_client(schema=SCHEMA if does_writer_know else None, DescribeTable=forbidden)
    reads = ReadRecorder()
    with listening(reads):
        READS[read][0](reader)
    writer.dispatcher.context.table(TABLE)
    shown_old = UNKNOWN if hide_old else ABSENT if old is None else old
    shown_new = UNKNOWN if hide_new else ABSENT if new is None else new
    bumped = set(writer.memory.apply(Change(T, {"pk": {"S": pk}}, shown_old, shown_new)))
    [depends] = reads.announced
    is_same = answer(read, elsewhere | ({pk: old} if old else {})) == answer(
        read, elsewhere | ({pk: new} if new else {})
    )
    assert is_same or depends & bumped
    if read == "get" and pk == "b" and does_writer_know:
        assert not depends & bumped, "more than it must"


def test_another_schema_is_the_same_table_only_by_its_name(changes: ChangeRecorder, reads: ReadRecorder) -> None:
    """The reader knows the table by its account and an ARN, the writer by its credentials."""
    reader, writer = answering_client(), writing(schema=None, scope=SCOPE._replace(account=None, credentials="other"))
    writer.dynamodb.answers["DescribeTable"] = refused("ThrottlingException")
    reader.query(TableName=ARN)
    writer.put()
    named = [
        {(tag.kind, tag.table.name, tag.index_name, tag.value) for tag in tags}
        for tags in (*reads.announced, *changes.announced)
    ]
    assert named[0] & named[1]


def test_a_key_schema_of_several_attributes(reads: ReadRecorder) -> None:
    schema = TableSchema(KeySchema.of("pk"), {"by_both": KeySchema(("owner", "note"))})
    client = answering_client(schema=schema)
    client(
        "Query",
        IndexName="by_both",
        KeyConditionExpression="#o = :o AND note = :n",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "ann"}, ":n": {"S": "x"}},
    )
    assert reads.take() == [partition({"S": "ann"}, {"S": "x"}, index="by_both") | {index_tag(T, "by_both")}]


# What a lagging replica may answer


@pytest.mark.parametrize(
    ("read", "is_lagging"),
    [
        (lambda client: client.get(), False),
        (lambda client: client.query(), False),
        (lambda client: client.by_owner("ann"), True),
        (lambda client: client("Scan"), False),
        (lambda client: client("Scan", IndexName="by_owner"), True),
        (lambda client: client("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY]}}), False),
        (lambda client: client("TransactGetItems", TransactItems=[{"Get": {"TableName": TABLE, "Key": KEY}}]), False),
        (lambda client: client("ExecuteStatement", Statement='SELECT * FROM "T"'), True),
        (lambda client: client.get(ConsistentRead=True), False),
        (lambda client: _bypassing(client.get), True),
        (lambda client: _bypassing(lambda: client.get(ConsistentRead=True)), False),
        (lambda client: client.get(NewParameter=1), True),
    ],
)
def test_what_may_be_read_from_a_replica_that_lags_is_said(
    reads: ReadRecorder, read: Callable[[ScriptedClient], Any], is_lagging: bool
) -> None:
    client = ScriptedClient(
        GetItem=made(Item=ITEM),
        Query=page(ITEM),
        Scan=page(ITEM),
        BatchGetItem=made(Responses={TABLE: [ITEM]}, UnprocessedKeys={}),
        TransactGetItems=made(Responses=[{"Item": ITEM}]),
        ExecuteStatement=made(Items=[ITEM]),
    )
    read(client)
    (told,) = reads.take()
    assert reads.lagging == (told if is_lagging else set())


def test_a_table_that_is_switched_off_is_never_read_strongly_for_us(reads: ReadRecorder) -> None:
    client = ScriptedClient(config={"tables": {TABLE: TableConfig(enabled=False)}}, GetItem=made(Item=ITEM))
    client.get()
    assert reads.take() == [reads.lagging]


def _bypassing(read: Callable[[], Any]) -> None:
    with daxlite.bypass():
        read()
