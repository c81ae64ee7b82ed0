"""Which table is meant: answers are shared by tables of one identity, changes are felt by tables of one place."""

import json
from pathlib import Path
from typing import Any

import botocore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.tables import AWS, Place, Scope, TableId, account_of, canonical_endpoint, region_and_name, table_id

OURS, THEIRS = "123456789012", "210987654321"
KNOWN = Scope(AWS, "eu-west-1", "AKIA", OURS)
UNKNOWN = Scope(AWS, "eu-west-1", "AKIA")


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
    is_another_place = (other.region, other.name) != (ours.region, ours.name)
    assert (other.place != ours.place) == is_another_place, "of two accounts, they are invalidated together"


@pytest.mark.parametrize("name", ["Orders", arn()])
def test_tables_of_two_principals_are_two_at_one_place(name: str) -> None:
    ours, theirs = (table_id(KNOWN._replace(principal=each), name) for each in ("role-a", "role-b"))
    assert ours == table_id(KNOWN._replace(principal="role-a"), arn())
    assert len({ours, theirs, table_id(KNOWN, name)}) == 3
    assert (ours.principal, theirs.principal, table_id(KNOWN, name).principal) == ("role-a", "role-b", None)
    assert ours.place == theirs.place == table_id(KNOWN, name).place


def test_a_table_tells_its_account_where_it_is_known() -> None:
    assert table_id(KNOWN, "Orders").account == OURS
    assert table_id(UNKNOWN, "Orders").account is None
    assert table_id(UNKNOWN, arn(account=THEIRS)).account == THEIRS
    assert table_id(KNOWN, arn(account=THEIRS)).account == THEIRS, "an ARN comes before the credentials"
    assert table_id(UNKNOWN._replace(credentials=("account", OURS)), "Orders").account is None


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
def test_a_name_of_no_table_is_unrecognised(name: Any) -> None:
    with pytest.raises(NotCacheable):
        table_id(KNOWN, name)


def test_the_account_of_what_is_no_arn_of_a_table() -> None:
    assert [account_of(text) for text in ("", "Orders", arn() + "/index/i", arn().replace("dynamodb", "s3"))] == [
        None
    ] * 4


# Places


def test_a_change_reaches_the_table_under_each_of_its_identities() -> None:
    others = [
        table_id(UNKNOWN, "Orders"),
        table_id(KNOWN, arn(account=THEIRS)),
        table_id(UNKNOWN._replace(credentials="B"), "Orders"),
        table_id(UNKNOWN._replace(credentials=("account", OURS)), "Orders"),
    ]
    assert {other.place for other in others} == {Place("eu-west-1", "Orders")}
    assert len(set(others)) == len(others), "none of them shares an answer with another"
    assert table_id(KNOWN, "Invoices").place != others[0].place
    assert table_id(KNOWN, arn(region="us-east-1")).place == Place("us-east-1", "Orders")


def test_away_from_aws_a_place_is_the_name_alone() -> None:
    endpoints = ("http://localhost:8000", "http://localhost:8000/", "https://dynamodb.internal")
    elsewhere = [table_id(KNOWN._replace(endpoint=each), "Orders") for each in endpoints]
    elsewhere.append(table_id(KNOWN._replace(endpoint=endpoints[0]), arn(region="us-east-1")))
    assert {each.place for each in elsewhere} == {Place("", "Orders")}
    assert len(set(elsewhere)) == len(elsewhere)


@pytest.mark.parametrize(
    "url",
    [
        "https://dynamodb.eu-west-1.amazonaws.com",
        "https://DynamoDB.eu-west-1.amazonaws.com:443/",
        "https://dynamodb-fips.us-east-1.amazonaws.com",
        "https://dynamodb.eu-west-1.api.aws",
        "https://123456789012.ddb.eu-west-1.amazonaws.com",
        "https://vpce-0123-4567.dynamodb.eu-west-1.vpce.amazonaws.com",
        "https://vpce-0123-4567.dynamodb-fips.us-east-1.vpce.amazonaws.com",
        "https://search-dynamodb.eu-west-1.api.aws",
        "https://123456789012.search-ddb.eu-west-1.amazonaws.com",
        "http://dynamodb.us-east-1.amazonaws.com",
        "https://dynamodb.cn-north-1.amazonaws.com.cn",
    ],
)
def test_every_spelling_of_an_endpoint_of_awss_is_one(url: str) -> None:
    assert canonical_endpoint(url) == AWS


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000",
        "http://127.0.0.1:4566",
        "https://dynamodb.eu-west-1.amazonaws.com.evil.example",
        "https://notamazonaws.com",
        "https://example.com/.amazonaws.com",
        # Servers of the user's own on machines at AWS: each has tables of its own.
        "http://ec2-203-0-113-25.eu-west-1.compute.amazonaws.com:8000",
        "https://scylla-1234567890.eu-west-1.elb.amazonaws.com",
        "https://my-dynamodb-1234567890.eu-west-1.elb.amazonaws.com",
        "https://abcdef.execute-api.eu-west-1.amazonaws.com/dynamodb",
        "http://[::1",
        "",
    ],
)
def test_other_endpoints_stay_themselves(url: str) -> None:
    assert canonical_endpoint(url) == url


def test_the_endpoints_of_all_partitions_that_botocore_knows_are_awss() -> None:
    partitions = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_text())["partitions"]
    assert len(partitions) > 3
    for partition in partitions:
        for suffix in (partition["outputs"]["dnsSuffix"], partition["outputs"]["dualStackDnsSuffix"]):
            assert canonical_endpoint(f"https://dynamodb.some-region-1.{suffix}") == AWS, suffix


def test_the_region_and_the_name_in_an_arn() -> None:
    assert region_and_name(arn(region="us-east-1")) == ("us-east-1", "Orders")
    assert region_and_name("Orders") == (None, "Orders")


texts = st.sampled_from(["a", "b", "", ":", "/", "a/b", "a:b"]) | st.text(max_size=4)
scopes = st.builds(Scope, texts, texts, texts, st.none() | st.sampled_from([OURS, THEIRS]), st.none() | texts)
ids = st.builds(table_id, scopes, texts.filter(lambda text: text and not text.startswith("arn:")))


@given(ids, ids)
def test_tables_of_one_identity_are_at_one_place(one: TableId, other: TableId) -> None:
    if one == other:
        assert one.place == other.place
    assert one.place.name == one.name


@given(scopes, texts.filter(bool), scopes, texts.filter(bool))
def test_no_joining_makes_two_tables_one(scope: Scope, name: str, other_scope: Scope, other_name: str) -> None:
    if name.startswith("arn:") or other_name.startswith("arn:"):
        return
    owners = [each.account if each.account is not None else (each.credentials,) for each in (scope, other_scope)]
    parts = [
        (each.endpoint, each.region, owner, text, each.principal)
        for each, owner, text in zip((scope, other_scope), owners, (name, other_name), strict=True)
    ]
    assert (table_id(scope, name) == table_id(other_scope, other_name)) == (parts[0] == parts[1])
