"""Who watches learns of each read what it depends on before it is made, and of each write what it bumped before it
returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

import daxlite
from daxlite import Cache, KeySchema, TableConfig, TableSchema
from daxlite.cache import state
from daxlite.cache.listeners import add_change_listener, read_listener, remove_change_listener
from daxlite.calls import dependencies
from daxlite.calls.dialects import Native
from daxlite.core.changes import ABSENT, UNKNOWN, Change
from daxlite.core.requests import ItemRead, PageRead
from daxlite.core.schema import item_key, partition_value
from daxlite.core.tables import TableId, table_id
from daxlite.core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from tests.cache.test_listeners import Ear
from tests.calls.scripted import ARN, ITEM, KEY, SCHEMA, SCOPE, TABLE, Lab, description, made, page, refused
from tests.calls.test_reentry import interrupting

T = table_id(SCOPE, TABLE)
OTHER = {"pk": {"S": "b"}}
BOTH = TableSchema(SCHEMA.key, SCHEMA.global_indexes, frozenset({"local"}))


def item(key: Any = KEY, table: TableId = T) -> set[Tag]:
    return {table_tag(table), item_tag(table, item_key(key))}


def partition(*values: Any, index: str | None = None) -> set[Tag]:
    return {table_tag(T), partition_tag(T, index, partition_value(values))}


ANYTHING = {table_tag(T), scan_tag(T, None)}
BY_ANN = partition({"S": "ann"}, index="by_owner") | {index_tag(T, "by_owner")}


class Eye:
    """Sees what is about to be read."""

    def __init__(self, look: Callable[[], Any] = lambda: None) -> None:
        self.told: list[Any] = []
        self.seen: list[Any] = []
        self.lagging: set[Tag] = set()
        self.look = look

    def will_read(self, cache: Cache, tags: Collection[Tag] | None, lagging: Collection[Tag]) -> None:
        self.lagging = set(lagging)
        self.told.append(None if tags is None else set(tags))
        self.seen.append(self.look())

    def take(self) -> list[Any]:
        told, self.told = self.told, []
        return told


@contextmanager
def watching(eye: Any) -> Iterator[None]:
    token = read_listener.set(eye)
    try:
        yield
    finally:
        read_listener.reset(token)


@pytest.fixture
def eye() -> Iterator[Eye]:
    made = Eye()
    with watching(made):
        yield made


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    add_change_listener(made)
    yield made
    remove_change_listener(made)


def laboratory(**settings: Any) -> Lab:
    operations = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "ExecuteStatement")
    more = ("BatchExecuteStatement", "ExecuteTransaction", "DeleteTable", "TransactGetItems", "SearchVectors")
    answers: dict[str, Any] = {operation: made() for operation in (*operations, *more)}
    answers |= {"GetItem": made(Item=ITEM), "Query": page(ITEM), "Scan": page(ITEM), "GetItemsOfTheYear2030": made()}
    answers["BatchGetItem"] = made(Responses={TABLE: [ITEM]}, UnprocessedKeys={})
    answers["DescribeTable"] = description("pk", indexes={"by_owner": ("owner", "age")}, local=("local",))
    return Lab(**{"schema": BOTH, **answers, **settings})


def transaction(*keys: Any, **get: Any) -> dict[str, Any]:
    return {"TransactItems": [{"Get": {"TableName": TABLE, "Key": key, **get}} for key in keys]}


def select(text: str) -> dict[str, Any]:
    return {"Statement": text}


SELECT = "SELECT * FROM \"T\" WHERE pk = 'a'"
BY_KEY = {"KeyConditionExpression": "pk = :v", "ExpressionAttributeValues": {":v": {"S": "a"}}}
LEGACY = {"KeyConditions": {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}}
READS: dict[str, tuple[Callable[[Lab], Any], Any]] = {
    "get": (lambda lab: lab.get(), item()),
    "get a part": (lambda lab: lab.get(ProjectionExpression="note"), item()),
    "get by ARN": (lambda lab: lab.get(TableName=ARN), item()),
    "get strongly": (lambda lab: lab.get(ConsistentRead=True), item()),
    "get by legacy parameters": (lambda lab: lab.get(AttributesToGet=["note"]), item()),
    "get with a parameter of 2030": (lambda lab: lab.get(Sideways=True), ANYTHING),
    "get with an error in it": (lambda lab: lab.get(ProjectionExpression="name"), ANYTHING),
    "batch": (
        lambda lab: lab("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY, OTHER]}, "U": {"Keys": [KEY]}}),
        item() | item(OTHER) | item(table=table_id(SCOPE, "U")),
    ),
    "batch, strongly": (
        lambda lab: lab("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY], "ConsistentRead": True}}),
        item(),
    ),
    "batch of 2030": (lambda lab: lab("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY], "Up": 1}}), ANYTHING),
    "query": (lambda lab: lab.query(), partition({"S": "a"})),
    "query strongly": (lambda lab: lab.query(ConsistentRead=True), partition({"S": "a"})),
    "query of a local index": (lambda lab: lab.query(IndexName="local"), partition({"S": "a"})),
    "query of an index": (lambda lab: lab.by_owner("ann"), BY_ANN),
    "query of an index that nobody knows": (lambda lab: lab.query(IndexName="new"), ANYTHING),
    "query by legacy parameters": (lambda lab: lab("Query", **LEGACY), partition({"S": "a"})),
    "query with a parameter of 2030": (lambda lab: lab.query(Sideways=True), ANYTHING),
    "scan": (lambda lab: lab("Scan"), ANYTHING),
    "scan of an index": (lambda lab: lab("Scan", IndexName="by_owner"), {table_tag(T), scan_tag(T, "by_owner")}),
    "scan with a parameter of 2030": (lambda lab: lab("Scan", Sideways=True), ANYTHING),
    "transaction": (lambda lab: lab("TransactGetItems", **transaction(KEY, OTHER)), item() | item(OTHER)),
    "transaction of 2030": (lambda lab: lab("TransactGetItems", **transaction(KEY, Up=1)), ANYTHING),
    "statement": (lambda lab: lab("ExecuteStatement", **select(SELECT)), ANYTHING),
    "statement on an index": (lambda lab: lab("ExecuteStatement", **select('SELECT * FROM "T"."i"')), ANYTHING),
    "statement that is not plain": (lambda lab: lab("ExecuteStatement", **select('SELECT "FROM" FROM "T"')), None),
    "statements": (lambda lab: lab("BatchExecuteStatement", Statements=[select(SELECT)]), ANYTHING),
    "statements, one not plain": (
        lambda lab: lab("BatchExecuteStatement", Statements=[select(SELECT), select("SELECT 1")]),
        None,
    ),
    "transaction of statements": (
        lambda lab: lab.caller.call("ExecuteTransaction", {"TransactStatements": [select(SELECT)]}),
        ANYTHING,
    ),
    "vectors": (lambda lab: lab("SearchVectors", IndexName="v"), ANYTHING),
    "operation of 2030": (lambda lab: lab("GetItemsOfTheYear2030"), ANYTHING),
    "operation of 2030, on nobody knows what": (lambda lab: lab.caller.call("GetItemsOfTheYear2030", {}), None),
}


@pytest.mark.parametrize("read", READS)
def test_what_a_read_depends_on_is_told_once_and_before_it_is_made(eye: Eye, read: str) -> None:
    call, expected = READS[read]
    lab = laboratory()
    eye.look = lambda: (lab.cache.stats().total.hits, lab.cache.stats().total.misses, lab.dynamodb.take())
    call(lab)
    assert eye.take() == [expected]
    hits, misses, sent = eye.seen[0]
    assert (hits, misses, [each for each in sent if each != "DescribeTable"]) == (0, 0, [])
    call(lab)
    assert eye.take() == [expected], "from the cache or not, it depends on the same"


@pytest.mark.parametrize("read", READS)
def test_the_answer_is_the_same_watched_or_not(read: str) -> None:
    call, _ = READS[read]
    plain, watched = laboratory(schema=None), laboratory(schema=None)
    for _ in range(2):
        expected = call(plain)
        with watching(Eye()):
            assert call(watched) == expected
    sent = [[each for each in lab.dynamodb.take() if each != "DescribeTable"] for lab in (plain, watched)]
    assert sent[0] == sent[1]


@pytest.mark.parametrize("read", [name for name, (_, tags) in READS.items() if tags is not None])
def test_the_first_read_of_a_table_is_told_as_exactly_as_the_next(eye: Eye, read: str) -> None:
    """The account is not known either, before the table is described."""
    call, expected = READS[read]
    lab = laboratory(schema=None, scope=SCOPE._replace(account=None))
    call(lab)
    by_name = [
        {(tag.kind, tag.table.name, tag.index_name, tag.value) for tag in tags} for tags in (expected, *eye.told)
    ]
    assert by_name[1:] == by_name[:1]
    assert lab.dynamodb.take().count("DescribeTable") <= 2, "once for each table"


def test_the_table_is_the_one_that_it_turned_out_to_be(eye: Eye) -> None:
    laboratory(schema=None, scope=SCOPE._replace(account=None)).query()
    assert eye.take() == [partition({"S": "a"})]


def test_an_index_that_was_added_is_described_before_it_is_told(eye: Eye) -> None:
    lab = laboratory(schema=None, DescribeTable=description("pk"))
    lab.query()
    lab.clock.now += 60
    lab.dynamodb.answers["DescribeTable"] = description("pk", indexes={"by_owner": ("owner", "age")})
    lab.by_owner("ann")
    assert eye.take() == [partition({"S": "a"}), BY_ANN]


def test_without_a_description_the_tags_are_coarser(eye: Eye) -> None:
    lab = laboratory(schema=None, DescribeTable=refused("AccessDeniedException"))
    lab.query()
    lab.get()
    assert eye.take() == [ANYTHING, item()]
    assert lab.dynamodb.take() == ["DescribeTable", "Query", "GetItem"]


@pytest.mark.parametrize("settings", [{"enabled": False}, {"item_ttl": 0, "negative_ttl": 0, "query_ttl": 0}])
def test_a_read_around_the_cache_is_told(eye: Eye, settings: dict[str, Any]) -> None:
    for schema, expected in ((SCHEMA, partition({"S": "a"})), (None, ANYTHING)):
        lab = laboratory(config={"tables": {TABLE: TableConfig(schema=schema, **settings)}})
        lab.dynamodb.answers["DescribeTable"] = refused("ThrottlingException")
        for _ in range(2):
            lab.get()
            lab.query()
        assert eye.take() == [item(), expected] * 2
        if not settings.get("enabled", True):
            assert lab.dynamodb.take() == ["GetItem", "Query"] * 2, "a table that is switched off is never described"


def test_a_read_within_bypass_is_told(eye: Eye) -> None:
    lab = laboratory()
    with daxlite.bypass():
        lab.get()
        lab.query()
    assert eye.take() == [item(), partition({"S": "a"})]


def test_where_queries_are_left_to_their_ttl_they_depend_on_the_same(eye: Eye) -> None:
    laboratory(config={"query_invalidation": "ttl"}).by_owner("ann")
    assert eye.take() == [BY_ANN]


def test_a_resource_speaks_of_the_same_items(eye: Eye, shared_client: Any) -> None:
    lab = laboratory()
    lab.caller.context.dialect = Native(shared_client.meta.service_model)
    lab.get(Key={"pk": "a"})
    lab("TransactGetItems", TransactItems=[{"Get": {"TableName": TABLE, "Key": {"pk": "a"}}}])
    assert eye.take() == [item(), item()]


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
def test_what_reads_no_items_is_not_told(eye: Eye, operation: str, params: Any) -> None:
    laboratory(ListTables=made()).caller.call(operation, params)
    assert eye.take() == []


def test_a_context_that_nobody_watches_tells_nobody() -> None:
    lab, eye = laboratory(), Eye()
    with watching(eye):
        pass
    lab.get()
    assert eye.take() == []


def test_what_the_watcher_outdates_is_read_anew(eye: Eye) -> None:
    lab = laboratory()
    for read in (lab.get, lab.query, lambda: lab.by_owner("ann")):
        read()
        assert lab.is_hit(read())
        eye.look = lambda: lab.cache.invalidate_tags(dict.fromkeys(eye.told[-1], 0.0))
        assert not lab.is_hit(read())
        eye.look = lambda: None
        if read is not lab.get:
            lab.clock.now += 10
            read()
        assert lab.is_hit(read())


# Faults


@pytest.mark.faults_expected
@pytest.mark.parametrize("place", ["_reads", "item_key", "table_tag", "read_query", "read_statement", "_of_tables"])
def test_p7_a_fault_in_telling_is_kept_from_the_application(
    eye: Eye, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, place, lambda *_: 1 / 0)
    struck = 0
    for call, expected in READS.values():
        lab = laboratory()
        assert call(lab)["ResponseMetadata"]["HTTPStatusCode"] == 200
        faults = lab.cache.stats().faults
        struck += faults
        assert eye.take() == [None if faults else expected]
        assert faults <= 1
    assert struck


@pytest.mark.faults_expected
@pytest.mark.parametrize("read", READS)
def test_p7_a_watcher_that_fails_is_kept_from_the_application(read: str) -> None:
    lab = laboratory()
    with watching(Eye(lambda: 1 / 0)):
        assert READS[read][0](lab)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert lab.cache.stats().faults == 1


@pytest.mark.parametrize("params", [{}, {"TableName": TABLE}, {"TableName": 3, "Key": KEY}, {"Statements": None}])
@pytest.mark.parametrize("operation", ["GetItem", "Query", "BatchGetItem", "TransactGetItems", "BatchExecuteStatement"])
def test_a_request_that_is_none_is_no_fault_of_ours(eye: Eye, operation: str, params: dict[str, Any]) -> None:
    lab = Lab(**{operation: ParamValidationError(report="")})
    with pytest.raises(ParamValidationError):
        lab.caller.call(operation, params)
    assert len(eye.take()) == 1


def test_dynamodbs_errors_come_as_ever(eye: Eye) -> None:
    lab = laboratory(GetItem=refused("ThrottlingException"))
    with pytest.raises(ClientError, match="Throttling"):
        lab.get()
    assert eye.take() == [item()]


def test_a_read_within_the_lock_of_its_own_thread_is_told(eye: Eye, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = laboratory()
    lab.get()
    eye.take()
    interrupting(lab, monkeypatch, lambda: (lab.query(), lab.get()))
    lab.put()
    assert eye.take() == [partition({"S": "a"}), item()]


# Changes

OLD = {**KEY, "owner": {"S": "bob"}, "age": {"N": "1"}}
BASE = item() - {table_tag(T)} | {scan_tag(T, None)} | partition({"S": "a"}) - {table_tag(T)}
INDEX = {scan_tag(T, "by_owner")}
ANN, BOB = ({partition_tag(T, "by_owner", partition_value([{"S": owner}])), *INDEX, *BASE} for owner in ("ann", "bob"))
UNSEEN = BASE | INDEX | {index_tag(T, "by_owner")}
NOTE = {"UpdateExpression": "SET note = :n", "ExpressionAttributeValues": {":n": {"S": "y"}}}
PUT, DELETE = {"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": KEY}}
WRITES: dict[str, tuple[Callable[[Lab], Any], Any, Any]] = {
    "put": (lambda lab: lab.put(), ANN, UNSEEN),
    "update": (lambda lab: lab("UpdateItem", Key=KEY, **NOTE), ANN, UNSEEN),
    "delete": (lambda lab: lab("DeleteItem", Key=KEY), BASE, UNSEEN),
    "batch": (lambda lab: lab("BatchWriteItem", RequestItems={TABLE: [PUT]}), UNSEEN, UNSEEN),
    "transaction": (
        lambda lab: lab("TransactWriteItems", TransactItems=[{"Delete": {"TableName": TABLE, "Key": KEY}}]),
        UNSEEN,
        UNSEEN,
    ),
    "statement": (lambda lab: lab("ExecuteStatement", Statement='DELETE FROM "T"'), {table_tag(T)}, {table_tag(T)}),
    "statement that is not plain": (lambda lab: lab("ExecuteStatement", Statement="UPSERT"), None, None),
    "table": (lambda lab: lab("DeleteTable"), {table_tag(T)}, {table_tag(T)}),
    "anything of 2030": (lambda lab: lab.caller.call("TurnTheWorld", {}), None, None),
    "put with no table": (lambda lab: lab.caller.call("PutItem", {"Item": ITEM}), None, None),
}


def writing(**settings: Any) -> Lab:
    lab = laboratory(TurnTheWorld=made(), **settings)
    lab.dynamodb.answers |= {
        "UpdateItem": lambda params: made(Attributes=ITEM) if params.get("ReturnValues") == "ALL_NEW" else made()
    }
    return lab


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.faults_expected  # a request with no table is one, as DynamoDB takes it here
def test_what_a_write_bumped_is_told_once_and_before_it_returns(ear: Ear, write: str) -> None:
    call, expected, _ = WRITES[write]
    lab = writing()
    lab.query()
    ear.look = lambda: (lab.dynamodb.take(), lab.is_hit(lab.query()))
    call(lab)
    assert ear.take() == [expected]
    assert ear.seen[0][0][-1] != "Query", "after it was sent"
    assert ear.seen[0][1] is False, "after the cache was made true"


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
def test_p9_told_unless_it_is_certain_that_nothing_changed(
    ear: Ear, write: str, error: BaseException, is_told: bool
) -> None:
    call, _, expected = WRITES[write]
    lab = writing()
    for operation in {*lab.dynamodb.answers} - {"DescribeTable", "GetItem", "Query"}:
        lab.dynamodb.answers[operation] = error
    with pytest.raises(type(error)):
        call(lab)
    if write == "batch":
        is_told = True  # that DynamoDB refuses all of it for one of them is not for us to count on
    assert ear.take() == ([expected] if is_told else [])


def test_p9_a_failed_condition_is_told(ear: Ear) -> None:
    lab = writing(PutItem=refused("ConditionalCheckFailedException"))
    with pytest.raises(ClientError):
        lab.put(ConditionExpression="attribute_not_exists(pk)")
    assert ear.take() == [BASE], "what was read before is suspect; where the item lies in indexes is not"


def test_a_missing_table_is_told(ear: Ear) -> None:
    missing = refused("ResourceNotFoundException")
    lab = laboratory(GetItem=missing, BatchGetItem=missing, PutItem=missing)
    for call in (
        lab.get,
        lab.put,
        lambda: lab("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY]}, "U": {"Keys": [KEY]}}),
    ):
        with pytest.raises(ClientError):
            call()
        told = ear.take()
        assert told[0] == {table_tag(T)}
        assert told[1:] in ([], [{table_tag(table_id(SCOPE, "U"))}])


def test_a_batch_is_told_at_once(ear: Ear) -> None:
    lab = writing()
    more = {"PutRequest": {"Item": {**ITEM, **OTHER}}}
    lab("BatchWriteItem", RequestItems={TABLE: [PUT, more], "U": [DELETE]})
    [told] = ear.take()
    keys = [item_tag(T, item_key(KEY)), item_tag(T, item_key(OTHER))]
    assert told > {*keys, item_tag(table_id(SCOPE, "U"), item_key(KEY))}
    assert table_tag(T) not in told


def test_reads_and_descriptions_are_not_told(ear: Ear) -> None:
    lab = laboratory(schema=None)
    for call, _ in READS.values():
        call(lab)
    lab.cache.clear()
    assert ear.take() == []


def test_without_a_schema_the_table_is_told(ear: Ear) -> None:
    lab = writing(schema=None, DescribeTable=refused("AccessDeniedException"))
    lab("DeleteItem", Key=KEY)
    assert ear.take() == [item() | {scan_tag(T, None)}]
    lab.put()
    assert ear.take() == [item() | {scan_tag(T, None)}], "the delete showed which attributes are the key"


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        ("put", {table_tag(T)}),  # which of its attributes are the key, nobody knows
        ("update", item() | {scan_tag(T, None)}),
        ("delete", item() | {scan_tag(T, None)}),
        ("batch", {table_tag(T)}),
        ("transaction", item() | {scan_tag(T, None)}),
        ("statement", {table_tag(T)}),
        ("table", {table_tag(T)}),
    ],
)
def test_a_table_that_is_switched_off_is_told(ear: Ear, write: str, expected: set[Tag]) -> None:
    lab = laboratory(config={"tables": {TABLE: TableConfig(enabled=False)}})
    ear.look = lambda: len(lab.dynamodb.sent)
    WRITES[write][0](lab)
    assert ear.take() == [expected]
    assert ear.seen == [1], "after it was sent, and nothing else was"
    assert "ReturnValues" not in lab.dynamodb.sent[0][1]


def test_a_table_that_is_switched_off_and_refuses_is_not_told(ear: Ear) -> None:
    config = {"tables": {TABLE: TableConfig(enabled=False)}}
    lab = laboratory(config=config, PutItem=refused("ValidationException"), DeleteItem=refused("InternalServerError"))
    with pytest.raises(ClientError):
        lab.put()
    assert ear.take() == []
    with pytest.raises(ClientError):
        lab("DeleteItem", Key=KEY)
    assert ear.take() == [item() | {scan_tag(T, None)}]


@pytest.mark.faults_expected
@pytest.mark.parametrize("write", [name for name in WRITES if name != "anything of 2030"])
@pytest.mark.parametrize("place", ["apply", "_bump", "_note_untold"])
def test_p7_a_fault_on_the_way_tells_that_anything_may_have_changed(
    ear: Ear, write: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state.State, place, lambda *_, **__: 1 / 0)
    WRITES[write][0](writing())
    assert ear.take()[-1] is None


@pytest.mark.faults_expected
def test_a_fault_of_a_read_changed_nothing(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ItemRead, "tags", lambda *_: 1 / 0)
    monkeypatch.setattr(PageRead, "tags", lambda *_: 1 / 0)
    lab = laboratory()
    for call, _ in READS.values():
        call(lab)
    assert lab.cache.stats().faults
    assert ear.take() == []


def test_p2_a_handler_that_writes_within_the_lock_is_told(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = writing()
    inner: list[Any] = []
    interrupting(lab, monkeypatch, lambda: (lab.put(), inner.extend(ear.take())))
    lab.put()
    assert inner == [None]


@pytest.mark.faults_expected
def test_p7_an_ear_that_fails_does_not_reach_the_application() -> None:
    ear = Ear(lambda: 1 / 0)
    add_change_listener(ear)
    lab = writing()
    for write, _, _ in WRITES.values():
        assert write(lab)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(ear.told) == len(WRITES)
    remove_change_listener(ear)  # the record of what was logged keeps it alive


# Whoever reads, and whoever writes, knows what he knows

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
def test_p4_what_a_change_does_not_bump_it_cannot_have_changed(
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
    reader = laboratory(schema=SCHEMA if does_reader_know else None, DescribeTable=forbidden)
    writer = laboratory(schema=SCHEMA if does_writer_know else None, DescribeTable=forbidden)
    eye, ear = Eye(), Ear()
    with watching(eye):
        READS[read][0](reader)
    add_change_listener(ear)
    writer.caller.context.table(TABLE)
    shown_old = UNKNOWN if hide_old else ABSENT if old is None else old
    shown_new = UNKNOWN if hide_new else ABSENT if new is None else new
    writer.cache.apply(Change(T, {"pk": {"S": pk}}, shown_old, shown_new))
    remove_change_listener(ear)
    [depends], [bumped] = eye.told, ear.told
    is_same = answer(read, elsewhere | ({pk: old} if old else {})) == answer(
        read, elsewhere | ({pk: new} if new else {})
    )
    assert is_same or depends & bumped
    if read == "get" and pk == "b" and does_writer_know:
        assert not depends & bumped, "more than it must"


def test_another_schema_is_the_same_table_only_by_its_name(ear: Ear, eye: Eye) -> None:
    """The reader knows the table by its account and an ARN, the writer by his credentials."""
    reader, writer = laboratory(), writing(schema=None, scope=SCOPE._replace(account=None, credentials="other"))
    writer.dynamodb.answers["DescribeTable"] = refused("ThrottlingException")
    reader.query(TableName=ARN)
    writer.put()
    named = [{(tag.kind, tag.table.name, tag.index_name, tag.value) for tag in tags} for tags in (*eye.told, *ear.told)]
    assert named[0] & named[1]


def test_a_key_schema_of_several_attributes(eye: Eye) -> None:
    schema = TableSchema(KeySchema.of("pk"), {"by_both": KeySchema(("owner", "note"))})
    lab = laboratory(schema=schema)
    lab(
        "Query",
        IndexName="by_both",
        KeyConditionExpression="#o = :o AND note = :n",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "ann"}, ":n": {"S": "x"}},
    )
    assert eye.take() == [partition({"S": "ann"}, {"S": "x"}, index="by_both") | {index_tag(T, "by_both")}]


# What a lagging replica may answer


@pytest.mark.parametrize(
    ("read", "is_lagging"),
    [
        (lambda lab: lab.get(), False),
        (lambda lab: lab.query(), False),
        (lambda lab: lab.by_owner("ann"), True),
        (lambda lab: lab("Scan"), False),
        (lambda lab: lab("Scan", IndexName="by_owner"), True),
        (lambda lab: lab("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY]}}), False),
        (lambda lab: lab("TransactGetItems", TransactItems=[{"Get": {"TableName": TABLE, "Key": KEY}}]), False),
        (lambda lab: lab("ExecuteStatement", Statement='SELECT * FROM "T"'), True),
        (lambda lab: lab.get(ConsistentRead=True), False),
        (lambda lab: _bypassing(lab.get), True),
        (lambda lab: _bypassing(lambda: lab.get(ConsistentRead=True)), False),
        (lambda lab: lab.get(NewParameter=1), True),
    ],
)
def test_what_may_be_read_from_a_replica_that_lags_is_said(
    eye: Eye, read: Callable[[Lab], Any], is_lagging: bool
) -> None:
    lab = Lab(
        GetItem=made(Item=ITEM),
        Query=page(ITEM),
        Scan=page(ITEM),
        BatchGetItem=made(Responses={TABLE: [ITEM]}, UnprocessedKeys={}),
        TransactGetItems=made(Responses=[{"Item": ITEM}]),
        ExecuteStatement=made(Items=[ITEM]),
    )
    read(lab)
    (told,) = eye.take()
    assert eye.lagging == (told if is_lagging else set())


def test_a_table_that_is_switched_off_is_never_read_strongly_for_us(eye: Eye) -> None:
    lab = Lab(config={"tables": {TABLE: TableConfig(enabled=False)}}, GetItem=made(Item=ITEM))
    lab.get()
    assert eye.take() == [eye.lagging]


def _bypassing(read: Callable[[], Any]) -> None:
    with daxlite.bypass():
        read()
