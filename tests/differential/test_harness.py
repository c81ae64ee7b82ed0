"""The harness itself: caches that are wrong, each in one way, must not pass."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from tests.differential.canonical import HIT
from tests.differential.harness import Harness, Steps, compare
from tests.differential.tables import PLAIN

KEY = {"pk": {"S": "key-1"}}


class BadCache:
    """Keeps every GetItem for ever, and hands out the same objects again and again, unless a subclass knows better."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.kept: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def get_item(self, **request: Any) -> Any:
        key = repr(request)
        if key not in self.kept:
            self.kept[key] = self.client.get_item(**request)
            return copy.deepcopy(self.kept[key])
        self.kept[key]["ResponseMetadata"]["HTTPHeaders"]["x-cache"] = HIT
        return self.given(self.kept[key])

    def given(self, response: Any) -> Any:
        return response


class Isolated(BadCache):
    def given(self, response: Any) -> Any:
        return copy.deepcopy(response)


class Retyped(Isolated):
    def given(self, response: Any) -> Any:
        response = super().given(response)
        for value in response.get("Item", {}).values():
            if "N" in value:
                value["N"] = int(value["N"])
        return response


class Invalidating(Isolated):
    def put_item(self, **request: Any) -> Any:
        self.kept.clear()
        return self.client.put_item(**request)


def read(steps: Steps) -> None:
    steps.read("get_item", Key=KEY)


def read_again(steps: Steps) -> None:
    read(steps)
    read(steps)


def read_and_write(steps: Steps) -> None:
    steps.watch("get_item", Key=KEY)
    steps.write("put_item", Item=KEY)


def ask_for_capacity(steps: Steps) -> None:
    steps.read("get_item", Key=KEY, ReturnConsumedCapacity="TOTAL")


@pytest.mark.parametrize(
    ("wrap", "script", "complaint"),
    [
        pytest.param(lambda client: client, read, "not a hit", id="no cache at all"),
        pytest.param(BadCache, read_again, "vandalised", id="shared objects"),
        pytest.param(Isolated, read_and_write, "Item.value should be missing", id="no invalidation"),
        pytest.param(Isolated, ask_for_capacity, "a hit consumes nothing", id="capacity of a hit"),
        pytest.param(Retyped, read, "Item.value.N should be", id="another type"),
    ],
)
def test_a_wrong_cache_is_found_out(
    harness: Harness, wrap: Callable[[Any], Any], script: Callable[[Steps], None], complaint: str
) -> None:
    with pytest.raises(AssertionError, match=complaint):
        compare(script, PLAIN, dataclasses.replace(harness, wrap=only_clients(wrap)))


def test_a_right_cache_passes(harness: Harness) -> None:
    for script in (read, read_again, read_and_write):
        compare(script, PLAIN, dataclasses.replace(harness, wrap=only_clients(Invalidating)))


def only_clients(wrap: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda target: wrap(target) if hasattr(target, "get_item") else target
