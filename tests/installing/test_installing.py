"""`install` and `uninstall`: which clients answer from the cache, and what is left afterwards."""

import gc
import logging
import weakref
from typing import Any

import boto3
import botocore.session
import pytest
from boto3.dynamodb.conditions import Key
from botocore.client import BaseClient

import daxlite
from daxlite import Cache
from tests.installing.reading import NEW, answered, get, new_client, put
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE, made, page
from tests.wrapping.wire import HERE, answer


def test_clients_that_were_made_before_and_after_answer_from_one_cache(client: Any, cache: Cache) -> None:
    dynamodb = answered(client)
    get(client)
    installation = daxlite.install(cache)
    assert installation.cache is cache
    assert not is_hit(get(client)), "what was read before is not cached"
    assert is_hit(get(client))
    assert dynamodb.take() == ["GetItem", "GetItem"]
    with new_client() as other:
        assert is_hit(get(other))
        put(other)
    assert get(client)["Item"] == NEW
    assert cache.stats().faults == 0


def test_a_client_of_a_session_of_botocore_s_is_covered(cache: Cache) -> None:
    """As PynamoDB makes one, and calls the method without an operation's own."""
    settings = {name: value for name, value in HERE.items() if name != "config"}
    made_by_it: Any = botocore.session.get_session().create_client("dynamodb", **settings)
    dynamodb = answered(made_by_it)
    daxlite.install(cache)
    for _ in range(2):
        assert made_by_it._make_api_call("GetItem", {"TableName": TABLE, "Key": KEY})["Item"] == ITEM
    assert made_by_it._make_api_call(operation_name="GetItem", api_params={"TableName": TABLE, "Key": KEY})["Item"]
    assert dynamodb.take() == ["GetItem"]
    made_by_it.close()


def test_paginators_and_waiters_are_covered(client: Any, cache: Cache) -> None:
    paginator = client.get_paginator("query")
    daxlite.install(cache)
    dynamodb = answer(client, Query=[page(ITEM, LastEvaluatedKey=KEY), page(ITEM)])
    request = {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :a",
        "ExpressionAttributeValues": {":a": KEY["pk"]},
    }
    for _ in range(2):
        assert [each["Items"] for each in paginator.paginate(**request)] == [[ITEM], [ITEM]]
    assert dynamodb.take() == ["Query", "Query"]


def test_a_resource_takes_and_returns_native_values(client: Any, resource: Any, cache: Cache) -> None:
    daxlite.install(cache)
    item = {**KEY, "n": {"N": "1.5"}, "set": {"NS": ["1"]}}
    dynamodb = answer(resource.meta.client, GetItem=lambda _: made(Item=dict(item)), Query=lambda _: page(dict(item)))
    answered(client)
    table = resource.Table(TABLE)
    plain = table.get_item(Key={"pk": "a"})["Item"]
    for found in (table.get_item(Key={"pk": "a"}), table.query(KeyConditionExpression=Key("pk").eq("a"))):
        assert (found.get("Item") or found["Items"][0]) == plain
    assert plain == {"pk": "a", "n": plain["n"], "set": {1}}
    found = get(client)
    assert is_hit(found), "a client and a resource share the answer"
    assert found["Item"] == item
    assert dynamodb.take() == ["GetItem", "Query"]


def test_calls_of_other_services_are_passed_on(s3: Any, cache: Cache) -> None:
    def refuse(**_: Any) -> None:
        raise LookupError

    s3.meta.events.register("before-send.s3", refuse)
    before = dict(vars(s3))
    daxlite.install(cache)
    with pytest.raises(LookupError):
        s3.list_buckets()
    assert vars(s3) == before
    assert cache.stats().faults == 0


def test_it_says_what_it_did(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="daxlite"):
        installation = daxlite.install(tables=["Orders", "Invoices"], principal="shop")
        daxlite.uninstall()
    [first, last] = [record.getMessage() for record in caplog.records]
    classes = ", ".join(installation.classes)
    assert first.startswith(
        f"<daxlite installed: {classes}; tables Invoices, Orders; answers shared by all clients, for"
    )
    assert last == repr(installation) == first.replace("installed", "uninstalled", 1)
    assert installation.tables == {"Orders", "Invoices"}
    assert installation.classes[0] == "botocore.client.BaseClient"


def test_twice_with_the_same_arguments_is_one_installation(cache: Cache) -> None:
    def of(client: Any) -> str:
        return "a"

    for arguments in ({}, {"cache": cache, "tables": ["a", "b"]}, {"principal": of}, {"share": True}):
        first = daxlite.install(**arguments)  # type: ignore[arg-type]
        method = vars(BaseClient)["_make_api_call"]
        again = daxlite.install(**{**arguments, **({"tables": ("b", "a")} if "tables" in arguments else {})})  # type: ignore[arg-type]
        assert again is first
        assert vars(BaseClient)["_make_api_call"] is method
        daxlite.uninstall()
        assert not first.is_in_place


def test_with_other_arguments_it_is_refused_and_stays(client: Any, cache: Cache) -> None:
    first = daxlite.install(cache)
    for other in ({"cache": Cache()}, {"cache": cache, "tables": ["a"]}, {"tables": ["a"]}, {"share": True}):
        with pytest.raises(RuntimeError, match=r"installed with other arguments: <daxlite installed: .*uninstall\(\)"):
            daxlite.install(**other)  # type: ignore[arg-type]
    assert first.is_in_place
    assert daxlite.install(cache) is first
    assert daxlite.install() is first, "whichever cache it is"


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"cache": 3}, TypeError, "cache is 3; it must be a daxlite.Cache"),
        ({"tables": "Orders"}, TypeError, "tables is 'Orders'; it must be a list of tables' names"),
        ({"tables": [3]}, TypeError, "tables has 3; it must be"),
        ({"tables": []}, ValueError, "tables is empty"),
        ({"tables": ["no name!"]}, ValueError, "a table's name has letters"),
        ({"tables": ["arn:aws:dynamodb:eu-west-1:123456789012:table/T"]}, ValueError, "holds for its ARN too"),
        ({"principal": ""}, ValueError, "principal is ''; it must be a name, or a function"),
        ({"principal": 3}, TypeError, "principal is 3; it must be a name, or a function"),
        ({"principal": str}, TypeError, "it must be a function that takes a client"),
        ({"share": 1}, TypeError, "share is 1; it must be True or False"),
        ({"share": True, "principal": "a"}, TypeError, "either a principal or share"),
    ],
)
def test_what_is_not_allowed_is_refused_and_nothing_is_installed(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    method = vars(BaseClient)["_make_api_call"]
    with pytest.raises(error, match=message):
        daxlite.install(**wrong)
    assert vars(BaseClient)["_make_api_call"] is method


def test_uninstalled_clients_are_plain_and_the_cache_is_usable(client: Any, cache: Cache) -> None:
    dynamodb = answered(client)

    def state() -> Any:
        return dict(vars(client)), repr(client.meta.events._emitter._handlers), vars(type(client)).keys()

    before = state()
    daxlite.install(cache)
    get(client)
    daxlite.uninstall()
    daxlite.uninstall()  # does nothing
    assert state() == before
    dynamodb.take()
    for _ in range(2):
        assert not is_hit(get(client))
    assert dynamodb.take() == ["GetItem"] * 2
    daxlite.install(cache)
    assert is_hit(get(client)), "what was cached is there"


def test_a_client_goes_with_the_last_reference_to_it(cache: Cache) -> None:
    daxlite.install(cache)
    gone = []
    gc.collect()
    for is_used in (False, True):
        with new_client() as made_now:
            gone.append(weakref.ref(made_now))
            if is_used:
                get(made_now)
                get(made_now)
            del made_now
    unused, used = gone
    gc.collect()
    assert unused() is None
    assert used() is None
    assert cache.stats().faults == 0
    assert len(daxlite.install(cache)._clients) == 0


@pytest.mark.faults_expected
def test_what_daxlite_cannot_make_sense_of_goes_through_and_its_writes_count(
    client: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dynamodb = answered(client)
    daxlite.install(cache, share=True)
    with new_client() as other:
        get(other)
        assert is_hit(get(other))

        def broken(*_: Any) -> None:
            raise LookupError

        with monkeypatch.context() as patched:
            patched.setattr("daxlite.edges.routing.context_of", broken)
            for _ in range(2):
                assert get(client)["Item"] == ITEM
        assert is_hit(get(other))
        put(client)
        assert not is_hit(get(other))
    assert dynamodb.take() == ["GetItem", "GetItem", "PutItem"]
    assert cache.stats().faults == 1


def test_boto3_s_own_session_needs_nothing(cache: Cache) -> None:
    daxlite.install(cache)
    session = boto3.Session(region_name="eu-west-1")
    made_by_it = session.client("dynamodb", **HERE)
    answered(made_by_it)
    get(made_by_it)
    assert is_hit(get(made_by_it))
    made_by_it.close()


def test_a_hook_is_named_once_though_each_request_makes_a_client(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    daxlite.install(cache)
    with caplog.at_level(logging.WARNING, logger="daxlite"):
        for _ in range(3):
            with new_client() as client:  # which a hook answers
                get(client)
    assert sum("hears only of the calls that are sent" in each.getMessage() for each in caplog.records) == 1
