"""One table by two names: changes made by one of them reach what was read by the other, and no more than they must.

The account of these credentials is not known, so a name and an ARN are two tables that may be one.
"""

from typing import Any

from tests.scripted_client import ARN, ITEM, KEY, SCOPE, TABLE, ScriptedClient, description, made, page

OTHER = {**ITEM, "pk": {"S": "other"}, "owner": {"S": "bob"}}


def client(**config: Any) -> ScriptedClient:
    return ScriptedClient(
        scope=SCOPE._replace(account=None),
        config=config,
        GetItem=made(Item=ITEM),
        Query=page(ITEM),
        PutItem=made(),
        BatchGetItem=made(Responses={TABLE: [ITEM]}, UnprocessedKeys={}),
    )


def put_by_arn(client: ScriptedClient, item: dict[str, Any] = ITEM) -> None:
    client("PutItem", TableName=ARN, Item=item)


def test_p2_what_was_changed_by_another_name_before_anything_is_cached_is_read_strongly() -> None:
    one = client()
    one.get()
    one.cache.clear()
    one.clock.now += 60
    put_by_arn(one)
    one.get()
    assert one.dynamodb.last_params("ConsistentRead") is True


def test_p2_a_new_name_of_a_table_settles_after_a_write_by_the_other_name() -> None:
    one = client()
    one.dispatcher.context.table(TABLE)  # known, and that is all
    put_by_arn(one)
    one.get()
    assert one.dynamodb.last_params("ConsistentRead") is True


def test_p2_a_table_that_becomes_known_between_two_changes_hears_of_the_second() -> None:
    one = client(settle_window=0)
    put_by_arn(one)
    one.get()
    assert one.is_hit(one.get())
    put_by_arn(one)
    assert not one.is_hit(one.get())


def test_p4_a_change_by_another_name_spares_the_other_items() -> None:
    one = client(settle_window=0)
    one.get()
    put_by_arn(one, OTHER)
    assert one.is_hit(one.get())


def test_p4_changes_of_other_partitions_by_another_name_leave_the_pages_of_an_index_alone() -> None:
    """Pages of a global index are not stored while they settle: if each change of the table unsettled them all, none
    would ever be."""
    one = client(settle_window=5)
    hits = 0
    for _ in range(60):
        one.clock.now += 1
        put_by_arn(one, OTHER)
        hits += one.is_hit(one.by_owner("ann"))
    assert hits > 50


def test_p2_a_batch_sees_a_change_of_the_whole_table() -> None:
    one = client(settle_window=0)
    batch = {"RequestItems": {TABLE: {"Keys": [KEY]}}}
    one("BatchGetItem", **batch)
    assert one.is_hit(one("BatchGetItem", **batch))
    one.cache.invalidate(TABLE)
    assert not one.is_hit(one("BatchGetItem", **batch))


def test_a_batch_is_not_answered_beyond_the_ttl() -> None:
    one = client(item_ttl=10)
    batch = {"RequestItems": {TABLE: {"Keys": [KEY]}}}
    one("BatchGetItem", **batch)
    one.clock.now += 9
    assert one.is_hit(one("BatchGetItem", **batch))
    one.clock.now += 2
    assert not one.is_hit(one("BatchGetItem", **batch))


def test_a_change_by_another_name_does_not_spoil_a_description_that_is_under_way() -> None:
    one = client(tables={})

    def described(params: dict[str, Any]) -> dict[str, Any]:
        if params["TableName"] == TABLE:
            put_by_arn(one)
        return description("pk", arn=None)

    one.dynamodb.answers["DescribeTable"] = described
    put_by_arn(one)
    one.get()
    assert one.dispatcher.context.table(TABLE).schema is not None


def test_a_table_that_was_made_anew_by_one_name_is_not_believed_by_the_other_to_be_as_it_was() -> None:
    """Where DescribeTable is forbidden, requests alone tell which attributes make a key."""
    one = ScriptedClient(
        scope=SCOPE._replace(account=None), schema=None, config={"settle_window": 0}, PutItem=made(), DeleteTable=made()
    )
    keys = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    older, newer = [{**ITEM, **keys, "note": {"S": note}} for note in ("older", "newer")]
    one.dynamodb.answers["GetItem"] = made(Item=ITEM)
    one.get()
    one("DeleteTable", TableName=ARN)  # and it is made anew, with a sort key
    one.dynamodb.answers["GetItem"] = made(Item=older)
    one("GetItem", TableName=ARN, Key=keys)
    one.put(newer)
    one.dynamodb.answers["GetItem"] = made(Item=newer)
    assert one("GetItem", TableName=ARN, Key=keys)["Item"] == newer
