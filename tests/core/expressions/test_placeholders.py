"""ExpressionAttributeNames and ExpressionAttributeValues."""

from enum import StrEnum
from typing import Any

import pytest

from daxlite.core.expressions.placeholders import Names, name_pairs, value_map
from daxlite.core.not_cacheable import NotCacheable


def names_of(names: Any) -> Names:
    return Names(name_pairs(names))


def test_names_are_resolved_and_must_be_used() -> None:
    names = names_of({"#a": "x", "#b": "x", "#c": "y"})
    assert names.resolve("#b") == "x"
    with pytest.raises(NotCacheable, match="#a, #c"):
        names.check_all_used()
    assert [names.resolve(alias) for alias in ("#a", "#b", "#c")] == ["x", "x", "y"]
    names.check_all_used()


def test_no_names() -> None:
    names = Names()
    names.check_all_used()
    with pytest.raises(NotCacheable):
        names.resolve("#a")


@pytest.mark.parametrize("placeholders", [{}, [("#a", "a")], "#a", 1, ()])
def test_maps_of_placeholders_that_dynamodb_or_botocore_refuses(placeholders: Any) -> None:
    with pytest.raises(NotCacheable):
        name_pairs(placeholders)
    with pytest.raises(NotCacheable):
        value_map(placeholders)


@pytest.mark.parametrize("name", ["", None, 1, b"a", ["a"], "a" * 65535])
def test_names_of_attributes_that_are_none(name: Any) -> None:
    with pytest.raises(NotCacheable):
        names_of({"#a": name}).resolve("#a")


@pytest.mark.parametrize("key", ["a", "#", "##a", "#a-b", "#a.b", "#ä", "", 1])
def test_a_malformed_alias_can_only_be_unused(key: Any) -> None:
    with pytest.raises(NotCacheable):  # noqa: PT012 - the one of them or the other
        names = names_of({"#ok": "a", key: "b"})
        names.resolve("#ok")
        names.check_all_used()


class Column(StrEnum):
    STATUS = "status"
    ALIAS = "#s"


def test_what_is_text_by_inheritance_is_taken_as_botocore_sends_it() -> None:
    ((alias, name),) = name_pairs({Column.ALIAS: Column.STATUS})
    assert (type(alias), alias, type(name), name) == (str, "#s", str, "status")


def test_what_botocore_would_send_of_a_subclass_is_what_counts() -> None:
    class Sent(dict[str, Any]):
        def items(self) -> Any:
            return {":v": {"S": "sent"}}.items()

    assert value_map(Sent({":v": {"S": "raw"}})) == {":v": {"S": "sent"}}
