"""Where a client looks up table names: the same credentials are one scope, and nothing keeps them."""

import datetime
import gc
import weakref
from typing import Any

import boto3
import botocore.session
from botocore.credentials import DeferredRefreshableCredentials, RefreshableCredentials

from daxlite.core.tables import AWS, Scope, table_id
from daxlite.edges.scope import scope_of
from tests.scripted_client import ACCOUNT, TABLE, ScriptedClient, description, made

OURS = "123456789012"


def refreshed() -> dict[str, Any]:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)
    return {"access_key": "a", "secret_key": "b", "token": "t", "expiry_time": until.isoformat()}


def session() -> boto3.Session:
    """One whose credentials are refreshed."""
    inner = botocore.session.Session()
    inner._credentials = RefreshableCredentials.create_from_metadata(refreshed(), refreshed, "test")  # type: ignore[attr-defined]
    return boto3.Session(botocore_session=inner, region_name="eu-west-1")


def test_clients_of_one_session_share_a_scope_and_others_do_not() -> None:
    one, other = session(), session()
    assert scope_of(one.client("dynamodb")) == scope_of(one.client("dynamodb"))
    assert scope_of(one.client("dynamodb")) != scope_of(other.client("dynamodb"))


def test_p8_clients_of_other_access_keys_have_another_scope() -> None:
    def scope(access_key: str) -> Scope:
        return scope_of(boto3.client("dynamodb", "eu-west-1", aws_access_key_id=access_key, aws_secret_access_key="-"))

    assert scope("AKIA1") == scope("AKIA1")
    assert scope("AKIA1") != scope("AKIA2")


def test_p8_a_scope_does_not_keep_the_credentials_that_it_stands_for() -> None:
    """They may lead back to the application, and from there to the cache."""
    client: Any = session().client("dynamodb")
    scope = scope_of(client)
    credentials = weakref.ref(client._request_signer._credentials)
    assert credentials() is not None
    del client
    gc.collect()
    assert credentials() is None
    assert scope.credentials is not None


def test_the_account_of_credentials_is_known_where_botocore_knows_it() -> None:
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "-"}
    client = boto3.client("dynamodb", "eu-west-1", **keys, aws_account_id=OURS)
    assert table_id(scope_of(client), "T").account == OURS
    assert table_id(scope_of(boto3.client("dynamodb", "eu-west-1", **keys)), "T").account is None


def test_the_account_of_credentials_that_are_refreshed_is_known_once_they_have_been_fetched() -> None:
    """As those of an assumed role, whose ARN has the account."""
    fetched = []

    def fetch() -> dict[str, Any]:
        fetched.append(1)
        return {**refreshed(), "account_id": OURS}

    def client(credentials: Any) -> Any:
        inner = botocore.session.Session()
        inner._credentials = credentials  # type: ignore[attr-defined]
        return boto3.Session(botocore_session=inner, region_name="eu-west-1").client("dynamodb")

    assert scope_of(client(RefreshableCredentials.create_from_metadata(fetch(), fetch, "test"))).account == OURS
    late = DeferredRefreshableCredentials(fetch, "test")
    assert scope_of(client(late)).account is None
    assert len(fetched) == 1, "to look at them must not fetch them"
    late.get_frozen_credentials()
    assert scope_of(client(late)).account == OURS


def test_the_account_that_a_description_tells_is_known_from_there_on() -> None:
    scope = Scope(AWS, "eu-west-1", "AKIA")
    client = ScriptedClient(scope=scope, schema=None, DescribeTable=description("pk"), GetItem=made())
    names = client.dispatcher.context.names
    assert names.table(TABLE).id.account is None
    client.get()
    assert names.table(TABLE).id.account == ACCOUNT


def test_a_client_without_credentials_has_a_scope_too() -> None:
    class Client:
        meta = boto3.client("dynamodb", region_name="eu-west-1").meta

    assert scope_of(Client()).credentials is None
