"""Wrong settings and arguments: each is refused where it is written, and the message says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.aggregations import AggregationCache, AggregationConfig, on_item, on_partition, on_table
from daxlite.aggregations.errors import Unkeyable
from tests.calls.test_reentry import interrupting, warm_client
from tests.scripted_client import KEY

EXAMPLES = Path(__file__).parents[1] / "examples"
SCHEMA = KeySchema.of("pk")

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a float in a key": (lambda: Cache().invalidate("T", {"n": 1.5}), r"key\['n'\] is a float.*use Decimal"),
    "a float in the key of an item": (lambda: on_item("T", {"n": 1.5}), "use Decimal"),
    "a float in the key of a partition": (lambda: on_partition("T", {"n": 1.5}), "use Decimal"),
    "a bool in a key": (lambda: on_item("T", {"pk": True}), r"key\['pk'\] is a bool; it must be a string"),
    "None in a key": (lambda: on_item("T", {"pk": None}), r"key\['pk'\] is a NoneType; it must be a string"),
    "no key of a partition": (lambda: on_partition("T", 3), "key is an int; it must map"),  # type: ignore[arg-type]
    "no pattern in tables": (lambda: CacheConfig(tables={"Orders[12]": TableConfig()}), r"'\*' for any of them"),
    "no name in tables": (lambda: CacheConfig(tables={"": TableConfig()}), "under a table's name"),
    "a pattern to invalidate": (lambda: Cache().invalidate("Orders*"), "patterns are not supported"),
    "a pattern to depend on": (lambda: on_table("Orders*"), "patterns are not supported"),
    "an entry above all": (
        lambda: CacheConfig(max_bytes=100, max_entry_bytes=101),
        "max_entry_bytes is 101; it must be at most max_bytes, which is 100",
    ),
    "no TTL attribute": (lambda: TableConfig(ttl_attribute=""), "ttl_attribute is ''"),
    "no local indexes": (lambda: TableSchema(SCHEMA, {}, None), "local_indexes is None"),  # type: ignore[arg-type]
    "a name twice": (
        lambda: TableSchema(SCHEMA, {"x": SCHEMA}, {"x": SCHEMA}),
        "'x' is in global_indexes and in",
    ),
    "a local index without a name": (lambda: TableSchema(SCHEMA, {}, {"": SCHEMA}), r"local_indexes\[''\]"),
    "a local index of other partitions": (
        lambda: TableSchema(SCHEMA, {}, {"by_day": KeySchema.of("day")}),
        "a local index has the partition key of its table",
    ),
    "a global index without a name": (lambda: TableSchema(SCHEMA, {"": SCHEMA}), r"global_indexes\[''\]"),
    "a short key": (lambda: AggregationConfig(encryption_keys=[b"x"]), r"encryption_keys\[0\] has 1 bytes; .* 32"),
    "a key as text": (lambda: AggregationConfig(encryption_keys=["x"]), r"encryption_keys\[0\] is a str"),  # type: ignore[list-item]
}


@pytest.mark.parametrize("what", WRONG)
def test_it_is_said_where_it_is_written(what: str) -> None:
    do, text = WRONG[what]
    with pytest.raises((TypeError, ValueError), match=text):
        do()


def test_a_small_cache_cuts_the_default_of_an_entry() -> None:
    assert CacheConfig(max_bytes=1000).max_bytes == 1000
    Cache(CacheConfig(max_bytes=1000)).invalidate("Orders-2026.v_1", {"n": Decimal("1.5")})


def test_settings_of_a_cache_stay() -> None:
    aggregations = AggregationCache(fakeredis.FakeRedis(), "shop")
    for cache, name in ((Cache(), "config"), (aggregations, "config"), (aggregations, "namespace")):
        with pytest.raises(AttributeError):
            setattr(cache, name, None)
    aggregations.close()


def test_a_method_is_told_to_have_a_key() -> None:
    aggregations = AggregationCache(fakeredis.FakeRedis(), "shop")

    class Shop:
        @aggregations.cached()
        def revenue(self, day: str) -> int:
            return 1

    with pytest.raises(Unkeyable, match=r"'self': a value of type .*Shop.*key=lambda self, day: \(self\.id, \.\.\.\)"):
        Shop().revenue("2026-11-22")
    aggregations.close()


def test_stats_in_a_signal_handler_are_a_snapshot_that_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    client = warm_client()
    found: list[Any] = []
    interrupting(client, monkeypatch, lambda: found.append(client.cache.stats()))
    client("UpdateItem", Key=KEY, UpdateExpression="REMOVE note")
    assert found[0].total.hits == 2
    assert client.memory._state._lock._reentries == 0, "the cache would be emptied"


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_without_arguments_says_how_it_is_used(example: Path) -> None:
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"usage: python examples/{example.name} ")
