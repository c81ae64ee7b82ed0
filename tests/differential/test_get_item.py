"""GetItem: what it returns, from the table and from the cache."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS, PLAIN

ADA_4 = {"customer": {"S": "ada"}, "seq": {"N": "4"}}


@scenario(PLAIN)
def test_item_that_is_there(steps: Steps) -> None:
    steps.read("get_item", Key={"pk": {"S": "key-1"}})


@scenario(PLAIN)
def test_item_that_is_missing(steps: Steps) -> None:
    key = {"pk": {"S": "nobody"}}
    assert "Item" not in steps.watch("get_item", Key=key)
    steps.write("put_item", Item=key)
    steps.write("delete_item", Key=key)


@scenario(PLAIN)
def test_consistent_read(steps: Steps) -> None:
    key = {"pk": {"S": "key-1"}}
    steps.read("get_item", Key=key, ConsistentRead=True, hit=False)
    steps.read("get_item", Key=key)
    steps.read("get_item", Key=key, ConsistentRead=True, hit=False)
    steps.read("get_item", Key=key, ConsistentRead=False)


@scenario(ORDERS)
def test_consumed_capacity(steps: Steps) -> None:
    for kind in ("TOTAL", "INDEXES", "NONE"):
        steps.read("get_item", Key=ADA_4, ReturnConsumedCapacity=kind)
        steps.read("get_item", Key=ADA_4, ReturnConsumedCapacity=kind, ConsistentRead=True, hit=False)
        missing = {"customer": {"S": "nobody"}, "seq": {"N": "4"}}
        steps.read("get_item", Key=missing, ReturnConsumedCapacity=kind)


FLAT: dict[str, dict[str, Any]] = {
    "one attribute": {"ProjectionExpression": "title"},
    "several": {"ProjectionExpression": "title, price,seq"},
    "an alias": {"ProjectionExpression": "#t, price", "ExpressionAttributeNames": {"#t": "title"}},
    "an alias of a reserved word": {"ProjectionExpression": "#s", "ExpressionAttributeNames": {"#s": "status"}},
    "an attribute that is not there": {"ProjectionExpression": "nowhere"},
    "one that is and one that is not": {"ProjectionExpression": "nowhere, price"},
    "a map": {"ProjectionExpression": "address"},
    "a place in a map": {"ProjectionExpression": "address.city"},
    "a place deep in a map": {"ProjectionExpression": "address.geo.lat"},
    "a place in a list": {"ProjectionExpression": "parcels[0]"},
    "a place in a map in a list": {"ProjectionExpression": "parcels[0].sku"},
}

NESTED: dict[str, dict[str, Any]] = {
    "two places of one map": {"ProjectionExpression": "address.city, address.geo.lat"},
    "two places of one list": {
        "ProjectionExpression": "parcels[1], parcels[0].#c",
        "ExpressionAttributeNames": {"#c": "amount"},
    },
    "aliases in a path": {
        "ProjectionExpression": "#a.#g, #a.zip",
        "ExpressionAttributeNames": {"#a": "address", "#g": "geo"},
    },
    "an index beyond the list": {"ProjectionExpression": "parcels[7], price"},
    "a path through the wrong type": {"ProjectionExpression": "title.city, parcels.sku, address[0], price"},
}


@scenario(ORDERS)
def test_projections(steps: Steps) -> None:
    for projection in FLAT.values():
        steps.read("get_item", Key=ADA_4, **projection)


@scenario(ORDERS)
def test_projections_of_an_item_that_is_cached(steps: Steps) -> None:
    steps.read("get_item", Key=ADA_4)
    for projection in FLAT.values():
        steps.read("get_item", Key=ADA_4, **projection)
    steps.read("get_item", Key=ADA_4)


@scenario(ORDERS, "nested_projection")
def test_projections_of_several_places_in_one_value(steps: Steps) -> None:
    for projection in NESTED.values():
        steps.read("get_item", Key=ADA_4, **projection)
    steps.read("get_item", Key=ADA_4)
    for projection in NESTED.values():
        steps.read("get_item", Key=ADA_4, **projection)


@scenario(ORDERS)
def test_projections_of_a_missing_item(steps: Steps) -> None:
    key = {"customer": {"S": "nobody"}, "seq": {"N": "1"}}
    for projection in FLAT.values():
        steps.read("get_item", Key=key, **projection)


@scenario(ORDERS)
def test_projection_follows_the_item(steps: Steps) -> None:
    steps.watch("get_item", Key=ADA_4, ProjectionExpression="title, parcels[0]")
    steps.watch("get_item", Key=ADA_4, ProjectionExpression="holder")
    steps.write("put_item", Item=ADA_4 | {"title": {"S": "new"}})
    steps.write(
        "update_item", Key=ADA_4, UpdateExpression="SET price = :p", ExpressionAttributeValues={":p": {"N": "9"}}
    )
    steps.write("delete_item", Key=ADA_4)


@scenario(PLAIN)
def test_items_do_not_answer_for_each_other(steps: Steps) -> None:
    for number in range(6):
        steps.read("get_item", Key={"pk": {"S": f"key-{number}"}})
    for number in range(6):
        answer = steps.read("get_item", Key={"pk": {"S": f"key-{number}"}})
        assert answer["Item"]["value"] == {"N": str(number)}


@scenario(PLAIN, "table_arns")
def test_every_way_to_name_a_table(steps: Steps) -> None:
    """A table and its ARN are the same table."""
    arn = steps.do("describe_table")["Table"]["TableArn"]
    key = {"pk": {"S": "key-1"}}
    steps.watch("get_item", Key=key)
    steps.watch("get_item", TableName=arn, Key=key)
    steps.write("put_item", Item=key | {"by": {"S": "name"}})
    steps.write("put_item", TableName=arn, Item=key | {"by": {"S": "ARN"}})


BAD: dict[str, dict[str, Any]] = {
    "no key attribute": {"Key": {"customer": {"S": "ada"}}},
    "an empty key": {"Key": {}},
    "a key attribute too many": {"Key": ADA_4 | {"title": {"S": "x"}}},
    "a wrong key attribute": {"Key": {"customer": {"S": "ada"}, "title": {"S": "x"}}},
    "a key attribute of the wrong type": {"Key": {"customer": {"S": "ada"}, "seq": {"S": "4"}}},
    "a number that is none": {"Key": {"customer": {"S": "ada"}, "seq": {"N": "four"}}},
    "an empty string as a key": {"Key": {"customer": {"S": ""}, "seq": {"N": "4"}}},
    "overlapping paths": {"Key": ADA_4, "ProjectionExpression": "address, address.city"},
    "the same path twice": {"Key": ADA_4, "ProjectionExpression": "title, title"},
    "conflicting paths": {"Key": ADA_4, "ProjectionExpression": "address.city, address[0]"},
    "an empty projection": {"Key": ADA_4, "ProjectionExpression": ""},
    "a projection that is none": {"Key": ADA_4, "ProjectionExpression": "title,,price"},
    "a reserved word": {"Key": ADA_4, "ProjectionExpression": "status"},
    "a name that is not used": {
        "Key": ADA_4,
        "ProjectionExpression": "title",
        "ExpressionAttributeNames": {"#x": "price"},
    },
    "a name that is not given": {"Key": ADA_4, "ProjectionExpression": "#x"},
    "names without an expression": {"Key": ADA_4, "ExpressionAttributeNames": {"#x": "price"}},
    "an expression and AttributesToGet": {
        "Key": ADA_4,
        "ProjectionExpression": "title",
        "AttributesToGet": ["title"],
    },
    "AttributesToGet with a duplicate": {"Key": ADA_4, "AttributesToGet": ["title", "title"]},
    "empty AttributesToGet": {"Key": ADA_4, "AttributesToGet": []},
    "an unknown kind of capacity": {"Key": ADA_4, "ReturnConsumedCapacity": "SOME"},
}


@scenario(ORDERS)
def test_bad_requests(steps: Steps) -> None:
    for request in BAD.values():
        steps.fail("get_item", **request)


@scenario(ORDERS)
def test_bad_requests_for_an_item_that_is_cached(steps: Steps) -> None:
    steps.read("get_item", Key=ADA_4)
    steps.read("get_item", Key=ADA_4, ProjectionExpression="title")
    for request in BAD.values():
        steps.fail("get_item", **request)
    steps.read("get_item", Key=ADA_4)
