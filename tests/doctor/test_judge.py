"""What the doctor makes of facts, without a server."""

from typing import Any

import pytest
from msgspec.structs import replace

from daxlite.doctor.facts import SLOTS, Facts, Node, Refusal, Times
from daxlite.doctor.judge import Weight, judge, status

NODE = Node("h:6379", "Valkey", (9, 1, 2), True, 1, "allkeys-lru", 1 << 20, 1 << 30)
FACTS = Facts("shop", nodes=(NODE,), round_trips=Times((0.0002,) * 100), delays=Times((0.0004,) * 20))


def found(facts: Facts) -> dict[Weight, str]:
    """The findings that are not fine, by weight."""
    texts: dict[Weight, str] = {}
    for each in judge(facts):
        if each.weight is not Weight.FINE:
            texts[each.weight] = f"{texts.get(each.weight, '')}{each.about}: {each.text}\n"
    return texts


def of_node(**changed: Any) -> Facts:
    return replace(FACTS, nodes=(replace(NODE, **changed),))


def test_a_server_that_fits() -> None:
    assert found(FACTS) == {}
    assert status(judge(FACTS)) == 0
    said = " ".join(each.text for each in judge(FACTS))
    assert "Valkey 9.1.2" in said
    assert "allkeys-lru, at 1,024.0 MiB" in said
    assert "one primary, 1 replica" in said
    assert "200 us (p50)" in said


@pytest.mark.parametrize(
    ("product", "version", "fits"),
    [
        ("Redis", (6, 2, 14), False),
        ("Redis", (7, 0, 0), True),
        ("Redis", (8, 2), True),
        ("Valkey", (7, 2, 4), True),
        ("Valkey", (7, 1), False),
    ],
)
def test_versions(product: str, version: tuple[int, ...], fits: bool) -> None:
    assert (found(of_node(product=product, version=version)) == {}) == fits


@pytest.mark.parametrize(
    ("policy", "limit", "is_warned_of"),
    [
        ("allkeys-lru", 0, False),
        ("volatile-lru", 1, False),
        ("allkeys-lfu", 0, True),
        ("volatile-lfu", 1, True),
        ("allkeys-random", 1, True),
        ("volatile-random", 1, True),
        ("volatile-ttl", 1, True),
        ("noeviction", 0, False),
        ("noeviction", 1, True),
    ],
)
def test_policies_that_evict_the_young_first_are_warned_of(policy: str, limit: int, is_warned_of: bool) -> None:
    warned = found(of_node(policy=policy, memory_limit=limit))
    assert warned.keys() == ({Weight.WARNING} if is_warned_of else set())
    assert not is_warned_of or "volatile-lru" in warned[Weight.WARNING]


@pytest.mark.parametrize(
    ("facts", "weight", "text"),
    [
        (Facts("shop", "nothing listens at its host and port"), Weight.UNUSABLE, "nothing listens"),
        (of_node(is_primary=False), Weight.UNUSABLE, "it is a replica"),
        (of_node(version=None), Weight.WARNING, "does not say which version"),
        (replace(FACTS, topology="cluster", slots=SLOTS - 5), Weight.UNUSABLE, "5 of 16384 slots are not served"),
        (replace(FACTS, topology="cluster"), Weight.WARNING, "does not say which slots"),
        (replace(FACTS, proxy="it has no run id"), Weight.WARNING, "proxy: it has no run id"),
        (replace(FACTS, delays=Times()), Weight.WARNING, "messages: none arrives"),
        (replace(FACTS, refusals=(Refusal("no EVAL", None),)), Weight.UNUSABLE, "rights: no EVAL"),
        (replace(FACTS, refusals=(Refusal("no ROLE", "less"),)), Weight.WARNING, "no ROLE; without it, less"),
        (replace(FACTS, round_trips=Times((0.06,) * 9)), Weight.UNUSABLE, "60.0 ms (p50)"),
        (replace(FACTS, round_trips=Times((0.001,) * 9 + (0.2,))), Weight.WARNING, "200.0 ms (p99)"),
    ],
)
def test_what_is_wrong_is_weighed(facts: Facts, weight: Weight, text: str) -> None:
    said = found(facts)
    assert said.keys() == {weight}
    assert text in said[weight]
    assert status(judge(facts)) == weight
