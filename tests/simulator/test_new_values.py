"""The new image that daxlite computes of an update, beside what the model and real servers make of it."""

from __future__ import annotations

import itertools
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daxlite.calls.write_item import computed, update_of
from daxlite.core.changes import ABSENT, UNKNOWN, Change, Image
from daxlite.core.tables import Place
from daxlite.core.values import canonical_item
from tests import servers
from tests.differential.tables import attributes, keys
from tests.volume import amount, is_short

Values = dict[str, Any]

# What a server is known to get wrong: expressions that match are not sent.
FLAWS = {
    # A set that is assigned to another attribute is added to there as well.
    "dynalite": r"ADD.*\b[pq]\b.* = .*\b[pq]\b|= .*\b[pq]\b.*ADD.*\b[pq]\b",
}

KEY: Values = {"pk": {"S": "k"}}
USUAL = {"n": "N", "o": "N", "p": "SS", "q": "NS", "r": "L"}
NAMES = tuple(USUAL)
FEW = ("0", "1", "-1", "1.5", "10", "100", "0.25")
"""Numbers that every server adds up alike."""
MANY = (*FEW, "1e125", "-1e125", "9" * 38, "1" + "0" * 37, "1e-130", "-0.1", "1.0", "12e-3", "123456789.123456789e20")


def _values(numbers: tuple[str, ...], kind: str | None = None) -> st.SearchStrategy[Values]:
    """Values of one type, or of any."""
    number = st.sampled_from(numbers).map(lambda text: {"N": text})
    text = st.sampled_from(("", "a", "é")).map(lambda text: {"S": text})
    of_type: dict[str, st.SearchStrategy[Values]] = {
        "N": number,
        "S": text,
        "other": st.sampled_from(({"BOOL": True}, {"NULL": True}, {"B": b"a"})),
        "SS": st.sets(st.sampled_from("xyz"), min_size=1).map(lambda members: {"SS": sorted(members)}),
        "NS": st.sets(st.sampled_from(FEW), min_size=1).map(lambda members: {"NS": sorted(members)}),
        "BS": st.sets(st.sampled_from((b"x", b"y", b"z")), min_size=1).map(lambda members: {"BS": sorted(members)}),
        "L": st.lists(number | text, max_size=2).map(lambda members: {"L": members}),
        "M": st.dictionaries(st.sampled_from(("aa", "bb")), number | text, max_size=2).map(lambda it: {"M": it}),
    }
    return st.one_of(number, *of_type.values()) if kind is None else of_type[kind]


class _Writer:
    """Writes a random update expression, and the values of its placeholders."""

    def __init__(self, draw: Callable[[Any], Any], numbers: tuple[str, ...]) -> None:
        self.draw = draw
        self.numbers = numbers
        self.values: Values = {}

    def value(self, kind: str | None = None) -> str:
        name = f":v{len(self.values)}"
        self.values[name] = self.draw(_values(self.numbers, kind))
        return name

    def one_of(self, *texts: str) -> str:
        return str(self.draw(st.sampled_from(texts)))

    def is_odd(self) -> bool:
        """Whether to write something unusual, which is often refused."""
        return bool(self.draw(st.integers(0, 7)) == 7)

    def attribute(self) -> str:
        return self.one_of("pk", "zz", "n.aa", "r[0]") if self.is_odd() else self.one_of(*NAMES)

    def term(self, depth: int = 1) -> str:
        kind = self.one_of("value", "attribute", "default", "append") if depth else "value"
        if kind == "default":
            return f"if_not_exists({self.attribute()}, {self.term(depth - 1)})"
        if kind == "append" and self.is_odd():
            return f"list_append(r, {self.value('L')})"
        return self.attribute() if kind == "attribute" else self.value()

    def number(self) -> str:
        if self.is_odd():
            return self.term()
        name, value = self.one_of("n", "o"), self.value("N")
        return self.one_of(value, f"if_not_exists({name}, {value})", f"if_not_exists({name}, {value})")

    def right_side(self) -> str:
        if self.draw(st.booleans()):
            return self.term()
        left, right = self.draw(st.permutations((self.one_of("n", "o", self.number()), self.number())))
        return f"{left} {self.one_of('+', '-')} {right}"

    def clauses(self) -> dict[str, list[str]]:
        clauses: dict[str, list[str]] = {}
        for name in self.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
            kind = USUAL[name]
            clause = self.one_of(
                "SET", "REMOVE", *(("ADD",) if kind != "L" else ()), *(("DELETE",) * kind.endswith("S"))
            )
            path = name + (self.one_of(".aa", "[0]") if self.is_odd() else "")
            if clause == "SET":
                path += f" = {self.right_side()}"
            elif clause != "REMOVE":
                path += f" {self.value(self.one_of('N', 'BS', 'SS') if self.is_odd() else kind)}"
            clauses.setdefault(clause, []).append(path)
        return clauses


def _items(numbers: tuple[str, ...]) -> st.SearchStrategy[Values | None]:
    """An item, most of whose attributes have their usual types, or none."""
    usual = {name: _values(numbers, kind) for name, kind in USUAL.items()}
    odd = st.dictionaries(st.sampled_from(NAMES), _values(numbers))
    item = st.one_of(st.fixed_dictionaries(usual), st.fixed_dictionaries({}, optional=usual), odd)
    return st.one_of(item.map(lambda rest: {**KEY, **rest}), st.none())


@st.composite
def updates(draw: st.DrawFn, numbers: tuple[str, ...]) -> tuple[Values | None, Values]:
    """An item and an update that meets it. Some are refused."""
    writer = _Writer(draw, numbers)
    text = " ".join(f"{clause} {', '.join(actions)}" for clause, actions in writer.clauses().items())
    values = {"ExpressionAttributeValues": writer.values} if writer.values else {}
    return draw(_items(numbers)), {"UpdateExpression": text, **values}


def legacy_updates(numbers: tuple[str, ...]) -> st.SearchStrategy[tuple[Values | None, Values]]:
    """The same from before there were expressions."""
    update = st.builds(
        lambda action, value: {"Action": action, **({} if value is None else {"Value": value})},
        st.sampled_from(("PUT", "ADD", "DELETE")),
        st.none() | _values(numbers),
    )
    several = st.dictionaries(st.sampled_from(NAMES), update, min_size=1, max_size=3)
    return st.tuples(_items(numbers), several.map(lambda updates: {"AttributeUpdates": updates}))


def image(old: Values | None, request: Values) -> Image:
    """What daxlite takes for the new image."""
    update = update_of(request)
    if update is None:
        return UNKNOWN
    before: Image = ABSENT if old is None else canonical_item(old)
    return computed(Change(Place("eu-west-1", "T"), KEY, before, touched=update.touched), update).new


def made(client: Any, table: str, old: Values | None, request: Values) -> Values | None:
    """What the server makes of it; None if it refuses."""
    try:
        if old is None:
            client.delete_item(TableName=table, Key=KEY)
        else:
            client.put_item(TableName=table, Item=old)
        return dict(client.update_item(TableName=table, Key=KEY, ReturnValues="ALL_NEW", **request)["Attributes"])
    except ClientError:
        return None


def unordered(item: Image) -> Any:
    """The item in one form, with the members of its sets in one order."""
    assert isinstance(item, dict)
    return {
        name: {kind: sorted(content) if kind in ("SS", "NS", "BS") else content}
        for name, value in canonical_item(item).items()
        for kind, content in value.items()
    }


PLAIN = re.compile(r"[^.\[(]*(if_not_exists\((?!pk)\w+, (:v\d|(?!pk)\w+)\)[^.\[(]*)*")
"""An expression in which everything is certain once DynamoDB has accepted it, but sums of many digits."""


def random_updates(of: st.SearchStrategy[Any], *, examples: int) -> Callable[[Any], Any]:
    volume = settings(
        max_examples=examples, deadline=None, derandomize=is_short(), suppress_health_check=list(HealthCheck)
    )
    return lambda test: volume(given(update=of)(test))


@random_updates(updates(MANY), examples=amount("updates of an item"))
def test_the_new_image_is_what_the_simulator_makes(client: Any, update: tuple[Values | None, Values]) -> None:
    old, request = update
    new, expected = image(old, request), made(client, "plain", old, request)
    if expected is None:
        return
    if new is not UNKNOWN:
        assert unordered(new) == unordered(expected)
    elif PLAIN.fullmatch(request["UpdateExpression"]):
        # Whether an update that only takes away makes an item is left to DynamoDB, and what has no key by then, too.
        assert old is None, "it was certain"
        assert "pk" in request["UpdateExpression"] or expected == KEY, "it was certain"


@random_updates(updates(FEW), examples=amount("updates of an item by a server"))
def test_the_new_image_is_what_a_server_makes(
    backend: servers.Backend, raw: Any, server_table: str, update: tuple[Values | None, Values]
) -> None:
    old, request = update
    flaw = FLAWS.get(backend.server.name)
    if flaw is not None and re.search(flaw, request["UpdateExpression"]):
        return
    new, expected = image(old, request), made(raw, server_table, old, request)
    if expected is not None and new is not UNKNOWN:
        assert unordered(new) == unordered(expected)


@pytest.mark.needs("attribute_updates")
@random_updates(legacy_updates(FEW), examples=amount("updates of an item by a server"))
def test_the_new_image_of_a_legacy_update_is_what_a_server_makes(
    raw: Any, server_table: str, update: tuple[Values | None, Values]
) -> None:
    old, request = update
    new, expected = image(old, request), made(raw, server_table, old, request)
    if expected is not None and new is not UNKNOWN:
        assert unordered(new) == unordered(expected)


@pytest.fixture(scope="module")
def server_table(raw: Any) -> Iterator[str]:
    name = f"updates-{uuid.uuid4().hex[:12]}"
    raw.create_table(
        TableName=name, KeySchema=keys("pk"), AttributeDefinitions=attributes(pk="S"), BillingMode="PAY_PER_REQUEST"
    )
    while raw.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(0.005)
    yield name
    raw.delete_table(TableName=name)


@pytest.mark.needs("sums")
def test_sums(raw: Any, server_table: str) -> None:
    certain = 0
    for left, right in itertools.product(MANY, MANY):
        old = {**KEY, "n": {"N": left}}
        request = {"UpdateExpression": "ADD n :v", "ExpressionAttributeValues": {":v": {"N": right}}}
        new, expected = image(old, request), made(raw, server_table, old, request)
        if new is not UNKNOWN:
            assert expected == new, f"{left} + {right}"
            certain += 1
    assert certain > len(MANY) ** 2 // 2
