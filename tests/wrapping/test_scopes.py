"""Where a client looks up table names: the same credentials are one scope, and nothing keeps them."""

import datetime
import gc
import weakref
from typing import Any

import boto3
import botocore.session
from botocore.credentials import RefreshableCredentials

from daxlite.core.tables import Scope
from daxlite.edges.client import scope_of


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


def test_a_client_without_credentials_has_a_scope_too() -> None:
    class Client:
        meta = boto3.client("dynamodb", region_name="eu-west-1").meta

    assert scope_of(Client()).credentials is None
