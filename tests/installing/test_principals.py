"""Under `install`, clients of different credentials do not answer each other unless they are told to; what one of them
writes, all see."""

import datetime
import logging
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleWithWebIdentityCredentialFetcher,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
)
from botocore.utils import FileWebIdentityTokenLoader

import daxlite
from daxlite import Cache
from daxlite.edges.identity import is_of_this_process, principal_of
from tests.installing.reading import ITEM, NEW, answered, get, new_client, put
from tests.responses import is_hit

ACCOUNT = "123456789012"


def refreshed(fetched: list[int] | None = None, method: str = "test") -> RefreshableCredentials:
    """Credentials that have another access key whenever they are fetched."""
    number = [] if fetched is None else fetched

    def fetch() -> dict[str, Any]:
        number.append(1)
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=5)  # so that each call fetches anew
        return {"access_key": f"A{len(number)}", "secret_key": "b", "token": "t", "expiry_time": until.isoformat()}

    return RefreshableCredentials.create_from_metadata(fetch(), fetch, method)


LOADER = botocore.session.Session().get_component("data_loader")
"""Of all sessions, for to load the models takes its time."""


def client_of(credentials: Any) -> Any:
    inner = botocore.session.Session()
    inner.register_component("data_loader", LOADER)
    inner._credentials = credentials  # type: ignore[attr-defined]
    session = boto3.Session(botocore_session=inner, region_name="eu-west-1")
    return session.client("dynamodb", endpoint_url="http://127.0.0.1:1")


def is_shared(one: Any, other: Any, cache: Cache) -> bool:
    """Whether the second client gets what the first one read. Each sees what the other writes, in any case."""
    for client in (one, other):
        answered(client)
        client.meta.events.unregister("request-created.dynamodb")
    get(one)
    assert is_hit(get(one))
    found = is_hit(get(other))
    assert is_hit(get(other))
    put(other)
    assert get(other)["Item"] == NEW
    again = get(one)
    assert again["Item"] == (NEW if found else ITEM), "a hit of what the other one wrote, or read anew"
    assert is_hit(again) == found
    assert cache.stats().faults == 0
    return found


def test_p8_other_access_keys_are_other_principals(client: Any, cache: Cache) -> None:
    daxlite.install(cache)
    with new_client(aws_access_key_id="AKIAOTHER") as other:
        assert not is_shared(client, other, cache)
    with new_client() as same:
        assert is_shared(client, same, cache)


def test_p8_so_they_are_in_one_account(cache: Cache) -> None:
    """Two roles whose policies differ: the account, which tells answers apart otherwise, is one."""
    daxlite.install(cache)
    keys = {"aws_account_id": ACCOUNT}
    with new_client(**keys) as one, new_client(**keys, aws_access_key_id="AKIAOTHER") as other:
        assert not is_shared(one, other, cache)


def test_p8_who_knows_the_access_key_without_its_secret_is_another_principal(client: Any, cache: Cache) -> None:
    """DynamoDB would refuse the call. An access key is no secret: it stands in logs and in signed URLs."""
    daxlite.install(cache)
    with new_client(aws_secret_access_key="guessed") as other:
        assert not is_shared(client, other, cache)


def test_with_share_they_share_what_is_of_one_account(cache: Cache) -> None:
    daxlite.install(cache, share=True)
    keys = {"aws_account_id": ACCOUNT}
    with new_client(**keys) as one, new_client(**keys, aws_access_key_id="AKIAOTHER") as other:
        assert is_shared(one, other, cache)
        wrapped = daxlite.wrap(one, cache)
        assert is_hit(get(wrapped)), "and with clients that are wrapped by hand, without a principal"
    with new_client(aws_account_id="999999999999") as elsewhere:
        assert not is_hit(get(elsewhere))


def test_a_principal_is_for_all_clients(client: Any, cache: Cache) -> None:
    daxlite.install(cache, principal="shop")
    answered(client)
    get(client)
    wrapped = daxlite.wrap(client, cache, principal="shop")
    assert is_hit(get(wrapped))
    assert not is_hit(get(daxlite.wrap(client, cache)))


def test_a_function_tells_the_principal_of_each_client(cache: Cache) -> None:
    asked = []

    def of(client: Any) -> str | None:
        asked.append(client)
        key: str = client._request_signer._credentials.access_key
        return key[:5] if key.startswith("ROLE") else None

    def role(access_key: str) -> Any:
        return new_client(aws_access_key_id=access_key, aws_account_id=ACCOUNT)

    daxlite.install(cache, principal=of)
    with role("ROLEA1") as a1, role("ROLEA2") as a2:
        assert is_shared(a1, a2, cache)
        with role("ROLEB1") as b:
            assert not is_shared(a1, b, cache)
        assert asked == [a1, a2, b], "once for each client"
    with role("OTHER1") as one, role("OTHER2") as other:
        assert not is_shared(one, other, cache), "None: their credentials tell them apart"


@pytest.mark.parametrize("wrong", [lambda _: 1 / 0, lambda _: "", lambda _: 3], ids=["raises", "empty", "number"])
def test_where_it_cannot_tell_nothing_is_answered_and_writes_count(
    client: Any, cache: Cache, wrong: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    dynamodb = answered(client)
    reader = daxlite.wrap(client, cache)
    get(reader)
    assert is_hit(get(reader))
    with caplog.at_level(logging.WARNING, logger="daxlite"):
        daxlite.install(cache, principal=wrong)
        for _ in range(2):
            assert not is_hit(get(client))
        put(client)
    assert not is_hit(get(reader))
    assert dynamodb.take() == ["GetItem", "GetItem", "GetItem", "PutItem", "GetItem"]
    assert sum("principal of a client could not be told" in each.getMessage() for each in caplog.records) == 1


def test_p8_refreshed_credentials_of_one_session_are_one_identity(cache: Cache) -> None:
    daxlite.install(cache)
    fetched: list[int] = []
    credentials = refreshed(fetched)
    one, same, other = client_of(credentials), client_of(credentials), client_of(refreshed())
    assert len(fetched) == 1, "to tell whose they are does not fetch them"
    assert is_shared(one, same, cache)
    assert len(fetched) > 1
    assert is_hit(get(one)), "with another access key, for the same role"
    assert not is_shared(one, other, cache)
    for client in (one, same, other):
        client.close()


def web_identity(role: str, path: str) -> DeferredRefreshableCredentials:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("it would be fetched")

    fetcher = AssumeRoleWithWebIdentityCredentialFetcher(never, FileWebIdentityTokenLoader(path), role)
    return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role-with-web-identity")


def test_sessions_of_one_process_with_the_role_of_its_host_are_one_identity() -> None:
    """A session for each thread is what boto3 recommends."""
    for method in ("iam-role", "container-role"):
        assert principal_of(client_of(refreshed(method=method))) == principal_of(client_of(refreshed(method=method)))
    names = [
        principal_of(client_of(web_identity(role, path)))
        for role, path in (("arn:r1", "/t1"), ("arn:r1", "/t1"), ("arn:r2", "/t1"), ("arn:r1", "/t2"))
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert principal_of(client_of(refreshed(method="assume-role"))) != principal_of(
        client_of(refreshed(method="assume-role"))
    )


def test_an_access_key_has_one_name_in_all_processes_which_does_not_tell_it() -> None:
    with new_client(aws_access_key_id="AKIAIOSFODNN7EXAMPLE") as client:
        assert principal_of(client) == "key:a2273e86a71b7552513f89099aa2982c"
        assert not is_of_this_process(principal_of(client))
    assert is_of_this_process(principal_of(client_of(refreshed())))


def test_a_client_that_does_not_sign_has_a_name_too(cache: Cache) -> None:
    class Bare:
        """Credentials that take no weak references."""

        __slots__ = ()

    daxlite.install(cache)
    with new_client(config=Config(signature_version=UNSIGNED)) as one, new_client() as other:
        one._request_signer._credentials = None
        assert not is_shared(one, other, cache)
        one._request_signer._credentials = Bare()
        assert principal_of(one) != principal_of(one), "it is not known whose they are, so each client is alone"


def test_with_a_tier_it_is_said_once_that_other_processes_do_not_share(
    fake_redis_cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="daxlite"):
        daxlite.install(fake_redis_cache)
        for _ in range(2):
            made = client_of(refreshed())
            answered(made)
            get(made)
            made.close()
    said = [each.getMessage() for each in caplog.records if "share=True" in each.getMessage()]
    assert len(said) == 1


@pytest.fixture
def fake_redis_cache() -> Any:
    import fakeredis

    cache = Cache(shared=daxlite.Shared(fakeredis.FakeRedis(), local=False))
    yield cache
    cache.close()
