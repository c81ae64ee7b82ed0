"""Keys that are strings, numbers and bytes, and keys that are easily taken for each other."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import BINARIES, NUMBERS, PLAIN, STRINGS


def pair(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


LOOK_ALIKES = (
    pair("a", "b#c"),
    pair("a#b", "c"),
    pair("a", "b"),
    pair("a:b", "c"),
    pair("a", "b:sk:c"),
    pair("a:sk:b", "c"),
    pair("a|b", "c"),
    pair("a", "b|c"),
    pair("é", "x"),
    pair("e\u0301", "x"),
    pair("A", "x"),
    pair("a", "x"),
    pair("a ", "x"),
    pair("1", "2"),
    pair("1,2", "2"),
    pair("a\x00", "b"),
    pair("a", "\x00b"),
)


@scenario(STRINGS)
def test_strings_that_look_alike(steps: Steps) -> None:
    for number, key in enumerate(LOOK_ALIKES):
        steps.do("put_item", Item=key | {"n": {"N": str(number)}})
    for _ in range(2):
        for number, key in enumerate(LOOK_ALIKES):
            assert steps.read("get_item", Key=key)["Item"]["n"] == {"N": str(number)}


@scenario(STRINGS)
def test_a_write_to_one_leaves_its_look_alikes(steps: Steps) -> None:
    for key in LOOK_ALIKES[:6]:
        steps.watch("get_item", Key=key)
        steps.watch("query", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": key["pk"]})
    steps.write("put_item", Item=LOOK_ALIKES[0] | {"n": {"N": "1"}})
    steps.write("put_item", Item=LOOK_ALIKES[1] | {"n": {"N": "2"}})
    steps.write("delete_item", Key=LOOK_ALIKES[0])


@scenario(STRINGS)
def test_the_order_of_the_key_attributes(steps: Steps) -> None:
    forward = {"pk": {"S": "a"}, "sk": {"S": "x"}}
    backward = {"sk": {"S": "x"}, "pk": {"S": "a"}}
    steps.watch("get_item", Key=forward)
    steps.watch("get_item", Key=backward)
    steps.write("put_item", Item=backward | {"n": {"N": "1"}})
    steps.write("put_item", Item=forward | {"n": {"N": "2"}})
    steps.write("delete_item", Key=backward)


@scenario(NUMBERS)
def test_numbers(steps: Steps) -> None:
    for pk, sk in (("1", "-5"), ("1", "0"), ("2", "20"), ("1", "99")):
        key = {"pk": {"N": pk}, "sk": {"N": sk}}
        steps.watch("get_item", Key=key)
        steps.watch("table.get_item", Key={"pk": int(pk), "sk": int(sk)})
        steps.write("put_item", Item=key | {"n": {"S": "put"}})
        steps.write("delete_item", Key=key)


@scenario(NUMBERS, "number_keys")
def test_one_number_in_several_words(steps: Steps) -> None:
    for text in ("1", "1.0", "1e0", "10E-1", "0001"):
        steps.watch("get_item", Key={"pk": {"N": text}, "sk": {"N": "3"}})
    steps.write("put_item", Item={"pk": {"N": "1.00"}, "sk": {"N": "3.0"}, "n": {"S": "new"}})
    steps.write("delete_item", Key={"pk": {"N": "1"}, "sk": {"N": "30e-1"}})


@scenario(NUMBERS, "number_keys")
def test_queries_for_one_number_in_several_words(steps: Steps) -> None:
    for text in ("1", "1.0", "10E-1"):
        steps.watch("query", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"N": text}})
    steps.write("put_item", Item={"pk": {"N": "1.00"}, "sk": {"N": "3.0"}, "n": {"S": "new"}})
    steps.write("delete_item", Key={"pk": {"N": "1"}, "sk": {"N": "30e-1"}})


@scenario(NUMBERS)
def test_numbers_that_a_float_cannot_tell_apart(steps: Steps) -> None:
    long = ("9007199254740992", "9007199254740993", "0.1", "0.1000000000000000055511151231257827")
    for number, text in enumerate(long):
        steps.do("put_item", Item={"pk": {"N": text}, "sk": {"N": "1"}, "n": {"N": str(number)}})
    for number, text in enumerate(long):
        answer = steps.read("get_item", Key={"pk": {"N": text}, "sk": {"N": "1"}})
        assert answer["Item"]["n"] == {"N": str(number)}


@scenario(BINARIES)
def test_bytes(steps: Steps) -> None:
    for last in (b"\x00", b"\x7f", b"\x80", b"\xff", b"\x01\x00"):
        key = {"pk": {"B": b"\x00\xff"}, "sk": {"B": last}}
        steps.watch("get_item", Key=key)
        steps.watch("table.get_item", Key={"pk": b"\x00\xff", "sk": last})
    partition = {":p": {"B": b"\x00\xff"}}
    steps.watch("query", KeyConditionExpression="pk = :p", ExpressionAttributeValues=partition)
    steps.watch(
        "query",
        KeyConditionExpression="pk = :p AND sk > :s",
        ExpressionAttributeValues=partition | {":s": {"B": b"\x7f"}},
    )
    steps.write("put_item", Item={"pk": {"B": b"\x00\xff"}, "sk": {"B": b"\x7f"}, "n": {"S": "put"}})
    steps.write("delete_item", Key={"pk": {"B": b"\x00\xff"}, "sk": {"B": bytearray(b"\x80")}})


@scenario(PLAIN)
def test_long_and_strange_keys(steps: Steps) -> None:
    for text in ("x" * 2048, "\x00", "🦊", "null", "{}", "key-1\n", "%s", "../.."):
        key = {"pk": {"S": text}}
        steps.watch("get_item", Key=key)
        steps.write("put_item", Item=key | {"n": {"N": "1"}})
    steps.fail("get_item", Key={"pk": {"S": "x" * 2049}})
