"""Which table is meant: sharing answers takes proof that two are one, sparing one a change proof that they are two."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.tables import Scope, TableId, account_of, may_be_same, table_id

HERE = "https://dynamodb.eu-west-1.amazonaws.com"
OURS, THEIRS = "123456789012", "210987654321"
KNOWN = Scope(HERE, "eu-west-1", "AKIA", OURS)
UNKNOWN = Scope(HERE, "eu-west-1", "AKIA")


def arn(name: str = "Orders", *, account: str = OURS, region: str = "eu-west-1", partition: str = "aws") -> str:
    return f"arn:{partition}:dynamodb:{region}:{account}:table/{name}"


def test_a_name_and_its_arn_are_the_same_table_once_the_account_is_known() -> None:
    assert table_id(KNOWN, arn()) == table_id(KNOWN, "Orders")
    assert table_id(UNKNOWN, arn()) != table_id(UNKNOWN, "Orders"), "they may be: that is not enough to share answers"
    assert table_id(UNKNOWN, arn()) == table_id(KNOWN, "Orders"), "an ARN says whose table it is"


@pytest.mark.parametrize(
    "other",
    [
        table_id(KNOWN, "Order"),
        table_id(KNOWN, "orders"),
        table_id(KNOWN, arn(account=THEIRS)),
        table_id(KNOWN, arn(region="us-east-1")),
        table_id(KNOWN._replace(account=THEIRS), "Orders"),
        table_id(KNOWN._replace(region="us-east-1"), "Orders"),
    ],
    ids=["name", "case", "ARN of another account", "ARN of another region", "account", "region"],
)
def test_other_tables(other: TableId) -> None:
    ours = table_id(KNOWN, "Orders")
    assert other != ours
    assert not may_be_same(ours, other)
    assert not may_be_same(other, ours)


def test_the_region_of_an_arn_counts_and_not_the_clients() -> None:
    elsewhere = KNOWN._replace(region="us-east-1")
    assert table_id(elsewhere, arn()) == table_id(KNOWN, "Orders")


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_the_partition_of_an_arn_does_not_count(partition: str) -> None:
    assert table_id(KNOWN, arn(partition=partition)) == table_id(KNOWN, "Orders")
    assert account_of(arn(partition=partition)) == OURS


@pytest.mark.parametrize(
    "name",
    [
        "",
        None,
        3,
        b"Orders",
        ["Orders"],
        "arn:",
        arn() + "/index/by_day",
        arn() + "/stream/2020-01-01T00:00:00.000",
        arn("") + "",
        arn(account="ours"),
        arn(account=""),
        arn(region=""),
        arn().replace("dynamodb", "s3"),
        arn().replace("table/", "table:"),
        arn(account="١٢٣"),
    ],
    ids=repr,
)
def test_what_names_no_table_is_unrecognised(name: Any) -> None:
    with pytest.raises(NotCacheable):
        table_id(KNOWN, name)


def test_the_account_of_what_is_no_arn_of_a_table() -> None:
    assert [account_of(text) for text in ("", "Orders", arn() + "/index/i", arn().replace("dynamodb", "s3"))] == [
        None
    ] * 4


# A change must reach what may be the same


def test_a_name_whose_account_nobody_told_may_be_anybodys_of_that_place() -> None:
    nameless = table_id(UNKNOWN, "Orders")
    others = [
        table_id(KNOWN, "Orders"),
        table_id(KNOWN, arn(account=THEIRS)),
        table_id(UNKNOWN._replace(credentials="B"), "Orders"),
    ]
    for other in others:
        assert may_be_same(nameless, other)
        assert may_be_same(other, nameless)
    assert not may_be_same(others[0], others[1]), "two accounts that are known are two"
    assert not may_be_same(nameless, table_id(KNOWN, "Invoices"))
    assert not may_be_same(nameless, table_id(KNOWN, arn(region="us-east-1")))


def test_credentials_that_look_like_an_account_are_none() -> None:
    """Whatever stands for the credentials, it must not be taken for a known owner."""
    disguised = table_id(UNKNOWN._replace(credentials=("account", OURS)), "Orders")
    assert disguised != table_id(KNOWN, "Orders")
    assert may_be_same(disguised, table_id(KNOWN, arn(account=THEIRS)))


texts = st.sampled_from(["a", "b", "", ":", "/", "a/b", "a:b"]) | st.text(max_size=4)
scopes = st.builds(Scope, texts, texts, texts, st.none() | st.sampled_from([OURS, THEIRS]))
ids = st.builds(table_id, scopes, texts.filter(lambda text: text and not text.startswith("arn:")))


@given(ids, ids)
def test_may_be_same_is_symmetric_and_covers_equality(one: TableId, other: TableId) -> None:
    assert may_be_same(one, one)
    assert may_be_same(one, other) == may_be_same(other, one)
    if one == other:
        assert may_be_same(one, other)
    if may_be_same(one, other):
        assert one.place == other.place, "aliases are looked for by their place"


@given(scopes, texts.filter(bool), scopes, texts.filter(bool))
def test_no_joining_makes_two_tables_one(scope: Scope, name: str, other_scope: Scope, other_name: str) -> None:
    if name.startswith("arn:") or other_name.startswith("arn:"):
        return
    owners = [each.account if each.account is not None else (each.credentials,) for each in (scope, other_scope)]
    parts = [
        (each.endpoint, each.region, owner, text)
        for each, owner, text in zip((scope, other_scope), owners, (name, other_name), strict=True)
    ]
    assert (table_id(scope, name) == table_id(other_scope, other_name)) == (parts[0] == parts[1])


def test_one_endpoint_may_be_spelled_in_two_ways() -> None:
    """Their answers are kept apart, but a change of one may be a change of the other."""
    ours, other = (table_id(KNOWN._replace(endpoint=f"http://localhost:8000{end}"), "Orders") for end in ("", "/"))
    assert ours != other
    assert may_be_same(ours, other)
    assert may_be_same(other, ours)
