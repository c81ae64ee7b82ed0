"""Sizes of items, by the rules in AWS's "DynamoDB item sizes and formats"."""

from typing import Any

import pytest
from hypothesis import given

from daxlite.core.encoding import encode
from daxlite.core.sizes import item_size
from tests import strategies


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "abc"}, 3),
        ({"S": "äß€"}, 7),
        ({"B": b"abc"}, 3),
        ({"N": "0"}, 1),
        ({"N": "1"}, 2),
        ({"N": "12"}, 2),
        ({"N": "123"}, 3),
        ({"N": "-123"}, 4),
        ({"N": "1200"}, 2),
        ({"N": "0.0012"}, 2),
        ({"N": "1.2E-10"}, 2),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"NS": ["1", "123"]}, 5),
        ({"BS": [b"a", b"bc"]}, 3),
        ({"L": []}, 3),
        ({"M": {}}, 3),
        ({"L": [{"S": "a"}, {"N": "1"}]}, 3 + 2 + 3),
        ({"M": {"key": {"S": "a"}, "l": {"L": []}}}, 3 + 2 + 4 + 4),
    ],
)
def test_the_size_of_a_value(value: dict[str, Any], size: int) -> None:
    assert item_size({"name": value}) == 4 + size


@given(strategies.items)
def test_an_item_is_no_larger_than_it_is_encoded(item: dict[str, Any]) -> None:
    """So where all encoded items together fit, no item has to be looked at."""
    assert item_size(item) <= len(encode(item))
