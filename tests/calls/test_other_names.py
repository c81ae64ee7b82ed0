"""One table by two names: changes made by one of them reach what was read by the other, and no more than they must.

The account of these credentials is not known, so a name and an ARN are two tables that may be one.
"""

from typing import Any

from tests.calls.scripted import ARN, ITEM, KEY, SCOPE, TABLE, Lab, description, made, page

OTHER = {**ITEM, "pk": {"S": "other"}, "owner": {"S": "bob"}}


def lab(**config: Any) -> Lab:
    return Lab(
        scope=SCOPE._replace(account=None),
        config=config,
        GetItem=made(Item=ITEM),
        Query=page(ITEM),
        PutItem=made(),
        BatchGetItem=made(Responses={TABLE: [ITEM]}, UnprocessedKeys={}),
    )


def put_by_arn(lab: Lab, item: dict[str, Any] = ITEM) -> None:
    lab("PutItem", TableName=ARN, Item=item)


def test_p2_what_was_changed_by_another_name_before_anything_is_cached_is_read_strongly() -> None:
    one = lab()
    one.get()
    one.cache.clear()
    one.clock.now += 60
    put_by_arn(one)
    one.get()
    assert one.dynamodb.last_params("ConsistentRead") is True


def test_p2_a_name_that_nobody_has_read_by_yet_is_settling_once_the_other_was_written() -> None:
    one = lab()
    one.caller.context.table(TABLE)  # known, and that is all
    put_by_arn(one)
    one.get()
    assert one.dynamodb.last_params("ConsistentRead") is True


def test_p2_a_table_that_becomes_known_between_two_changes_hears_of_the_second() -> None:
    one = lab(settle_window=0)
    put_by_arn(one)
    one.get()
    assert one.is_hit(one.get())
    put_by_arn(one)
    assert not one.is_hit(one.get())


def test_p4_a_change_by_another_name_spares_the_other_items() -> None:
    one = lab(settle_window=0)
    one.get()
    put_by_arn(one, OTHER)
    assert one.is_hit(one.get())


def test_p4_changes_of_other_partitions_by_another_name_leave_the_pages_of_an_index_alone() -> None:
    """Pages of a global index are not stored while they settle: if each change of the table unsettled them all, none
    would ever be."""
    one = lab(settle_window=5)
    hits = 0
    for _ in range(60):
        one.clock.now += 1
        put_by_arn(one, OTHER)
        hits += one.is_hit(one.by_owner("ann"))
    assert hits > 50


def test_p2_a_batch_hears_of_a_change_of_the_whole_table() -> None:
    one = lab(settle_window=0)
    batch = {"RequestItems": {TABLE: {"Keys": [KEY]}}}
    one("BatchGetItem", **batch)
    assert one.is_hit(one("BatchGetItem", **batch))
    one.cache.invalidate(TABLE)
    assert not one.is_hit(one("BatchGetItem", **batch))


def test_a_batch_is_not_answered_beyond_the_ttl() -> None:
    one = lab(item_ttl=10)
    batch = {"RequestItems": {TABLE: {"Keys": [KEY]}}}
    one("BatchGetItem", **batch)
    one.clock.now += 9
    assert one.is_hit(one("BatchGetItem", **batch))
    one.clock.now += 2
    assert not one.is_hit(one("BatchGetItem", **batch))


def test_a_change_by_another_name_does_not_spoil_a_description_that_is_under_way() -> None:
    one = lab(tables={})

    def described(params: dict[str, Any]) -> dict[str, Any]:
        if params["TableName"] == TABLE:
            put_by_arn(one)
        return description("pk", arn=None)

    one.dynamodb.answers["DescribeTable"] = described
    put_by_arn(one)
    one.get()
    assert one.caller.context.table(TABLE).schema is not None
