"""Values of all ten attribute types come back as they were stored, whichever read brings them."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import PLAIN

KEY = {"pk": {"S": "types"}}

VALUES: dict[str, dict[str, Any]] = {
    "string": {"S": "text"},
    "empty string": {"S": ""},
    "long string": {"S": "long " * 2000},
    "every kind of character": {"S": "\x00 \x7f é ß 漢 🦊 \u202e \ufeff ' \" \\ #"},
    "number": {"N": "42"},
    "negative": {"N": "-42"},
    "fraction": {"N": "0.125"},
    "thirty-eight digits": {"N": "12345678901234567890123456789012345678"},
    "binary": {"B": b"\x00\x01\xfe\xff"},
    "empty binary": {"B": b""},
    "true": {"BOOL": True},
    "false": {"BOOL": False},
    "null": {"NULL": True},
    "strings": {"SS": ["a", "b", ""]},
    "numbers": {"NS": ["1", "2.5", "-3"]},
    "binaries": {"BS": [b"\x00", b"\xff\xfe"]},
    "list": {"L": [{"S": "a"}, {"N": "1"}, {"L": []}, {"M": {}}, {"NULL": True}, {"B": b"x"}]},
    "map": {"M": {"a": {"S": "b"}, "n": {"N": "1"}, "with space": {"BOOL": False}}},
    "nested": {"M": {"l": {"L": [{"M": {"l": {"L": [{"M": {"s": {"SS": ["deep"]}}}]}}}]}}},
    "empty list": {"L": []},
    "empty map": {"M": {}},
}


def watch(steps: Steps) -> None:
    steps.watch("get_item", Key=KEY)
    steps.watch("batch_get_item", RequestItems={steps.name: {"Keys": [KEY]}})
    steps.watch("query", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": KEY["pk"]})
    steps.watch("table.get_item", Key={"pk": "types"})
    steps.watch("scan")


@scenario(PLAIN)
def test_all_at_once(steps: Steps) -> None:
    names = {name.replace(" ", "_").replace("-", "_"): value for name, value in VALUES.items()}
    steps.do("put_item", Item=KEY | names)
    watch(steps)
    steps.write("put_item", Item=KEY)
    steps.write("put_item", Item=KEY | names)


@scenario(PLAIN)
def test_one_at_a_time(steps: Steps) -> None:
    for name, value in VALUES.items():
        key = {"pk": {"S": name}}
        steps.do("put_item", Item=key | {"value": value})
        steps.read("get_item", Key=key)


@scenario(PLAIN)
def test_an_attribute_changes_its_type(steps: Steps) -> None:
    watch(steps)
    for value in ({"S": "1"}, {"N": "1"}, {"B": b"1"}, {"BOOL": True}, {"L": [{"N": "1"}]}, {"NS": ["1"]}):
        steps.write(
            "update_item",
            Key=KEY,
            UpdateExpression="SET payload = :v",
            ExpressionAttributeValues={":v": value},
        )


@scenario(PLAIN, "numbers")
def test_numbers_in_other_words(steps: Steps) -> None:
    """What DynamoDB stores is the number, not how it was written."""
    watch(steps)
    for text in ("1.0", "1e3", "-0", "0.10", "1E-5", "00012", "100000000000000000000000"):
        steps.write("put_item", Item=KEY | {"value": {"N": text}, "values": {"NS": [text, "77"]}})


@scenario(PLAIN)
def test_a_large_item(steps: Steps) -> None:
    item = KEY | {f"attribute-{number}": {"S": "x" * 1000} for number in range(200)}
    steps.do("put_item", Item=item)
    steps.read("get_item", Key=KEY)
    steps.read("get_item", Key=KEY, ReturnConsumedCapacity="TOTAL")
