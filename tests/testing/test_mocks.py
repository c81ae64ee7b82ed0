"""What mocks in this process answer is not cached, unless the test says so, and never outlives the mock."""

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from fakeredis import FakeRedis
from moto import mock_aws
from moto.core.models import botocore_stubber, patch_client

import daxlite
from daxlite import Cache, CacheConfig, Shared
from daxlite.aggregations import AggregationCache
from daxlite.core.changes import Change
from daxlite.core.tables import Place
from daxlite.testing import disabled, enabled
from tests.performance.work import work
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE, made
from tests.testing.test_moto import HERE, PLAIN, create
from tests.wrapping.wire import answer


@pytest.fixture
def raw() -> Iterator[Any]:
    made = boto3.Session().client("dynamodb", **HERE)
    yield made
    made.close()


def wrapped(raw: Any, **settings: Any) -> tuple[Any, Cache]:
    cache = Cache(CacheConfig(**settings))
    return daxlite.wrap(raw, cache), cache


def reads(client: Any, times: int = 2) -> list[bool]:
    """Whether each of so many reads was a hit."""
    return [is_hit(client.get_item(TableName="T", Key=KEY)) for _ in range(times)]


def value(client: Any) -> Any:
    return client.get_item(TableName="T", Key=KEY).get("Item", {}).get("v")


def test_reads_under_a_mock_are_counted_and_nothing_is_stored(raw: Any) -> None:
    client, cache = wrapped(raw)
    with mock_aws():
        create(raw, "pk")
        client.put_item(TableName="T", Item=KEY)
        assert reads(client) == [False, False]
        client.query(
            TableName="T", KeyConditionExpression="pk = :a", ExpressionAttributeValues={":a": KEY["pk"]}, Limit=1
        )
        client.scan(TableName="T", ConsistentRead=True)
        client.batch_get_item(RequestItems={"T": {"Keys": [KEY]}})
    counts = cache.stats().tables["T"]
    assert {kind: each.bypasses["mocked"] for kind, each in counts.items()} == {"item": 3, "query": 1, "scan": 1}
    assert (cache.stats().total.entries, cache.stats().total.fills) == (0, 0)


def test_under_a_mock_only_what_the_application_calls_is_sent(raw: Any) -> None:
    sent: list[str] = []
    client, _ = wrapped(raw)
    raw.meta.events.register_first("before-send.dynamodb", lambda event_name, **_: sent.append(event_name[21:]))
    with mock_aws():
        create(raw, "pk")
        client.put_item(TableName="T", Item=KEY)
        client.get_item(TableName="T", Key=KEY)
        client.transact_write_items(TransactItems=[{"Delete": {"TableName": "T", "Key": KEY}}])
    assert sent == ["CreateTable", "PutItem", "GetItem", "TransactWriteItems"]


def test_what_is_done_to_a_mock_is_not_told_to_a_redis(raw: Any) -> None:
    server = FakeRedis()
    cache = Cache(shared=Shared(server, "shop"))
    client = daxlite.wrap(raw, cache)
    with mock_aws():
        create(raw, "pk")
        client.put_item(TableName="T", Item=KEY)
        client.delete_item(TableName="T", Key=KEY)
        client.batch_write_item(RequestItems={"T": [{"PutRequest": {"Item": KEY}}]})
        assert reads(client) == [False, False]
        assert server.dbsize() == 0
        with enabled():
            client.put_item(TableName="T", Item=KEY)
        assert server.dbsize() > 0, "to a Redis that is there, as it is told if caching is enabled"
    cache.close()


def test_enabled_caches_what_one_mock_answers_and_the_next_one_starts_anew(raw: Any) -> None:
    client, cache = wrapped(raw, settle_window=0)
    with enabled():
        for expected in ("1", "2"):
            with mock_aws():
                create(raw, "pk")
                raw.put_item(TableName="T", Item={**KEY, "v": {"S": expected}})
                assert reads(client, 3) == [False, True, True]
                assert value(client) == {"S": expected}
                client.put_item(TableName="T", Item={**KEY, "v": {"S": "new"}})
                assert value(client) == {"S": "new"}
    assert cache.stats().total.hits > 0
    with mock_aws():
        create(raw, "pk")
        assert value(client) is None
    assert "mocked" in cache.stats().tables["T"]["item"].bypasses


@pytest.mark.parametrize("reset", [lambda mock: mock.reset(), lambda mock: _reset_as_by_its_api()])
def test_p4_enabled_shows_nothing_of_before_a_reset_of_the_mock(raw: Any, reset: Callable[[Any], None]) -> None:
    client, _ = wrapped(raw, settle_window=0)
    with enabled(), mock_aws() as mock:
        create(raw, "pk")
        client.put_item(TableName="T", Item=KEY)
        assert reads(client)[-1]
        reset(mock)
        create(raw, "pk")
        assert "Item" not in client.get_item(TableName="T", Key=KEY)


def _reset_as_by_its_api() -> None:
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()


def test_the_mocks_of_one_test_share_what_is_cached_and_drop_it_together(raw: Any) -> None:
    """A nested mock has the data of the outer one."""
    client, cache = wrapped(raw, settle_window=0)
    other = daxlite.wrap(PLAIN, cache)
    with enabled(), mock_aws():
        create(raw, "pk")
        reads(client, 1)
        with mock_aws():
            assert reads(other) == [True, True]
            other.put_item(TableName="T", Item={**KEY, "v": {"S": "new"}})
        assert value(client) == {"S": "new"}


def test_p4_what_the_real_table_holds_and_what_a_mock_answers_are_kept_apart(raw: Any) -> None:
    client, _ = wrapped(raw, settle_window=0)
    held = {**KEY, "v": {"S": "real"}}
    answer(raw, "before-send", GetItem=made(Item=held), CreateTable=made())  # moto's handler answers before it
    assert reads(client) == [False, True]
    with enabled(), mock_aws():
        create(raw, "pk")
        assert value(client) is None
    assert value(client) == {"S": "real"}
    assert reads(client) == [True, True]


@pytest.mark.parametrize(
    "tell",
    [
        lambda cache: cache.invalidate("T", {"pk": "a"}, region=HERE["region_name"]),
        # As a feed does it, which knows the table by its region.
        lambda cache: cache._memory.hear(Change(Place(HERE["region_name"], "T"), KEY)),
    ],
)
def test_p6_changes_from_outside_reach_what_is_cached_of_a_mock(raw: Any, tell: Callable[[Cache], None]) -> None:
    client, cache = wrapped(raw, settle_window=0)
    with enabled(), mock_aws():
        create(raw, "pk")
        reads(client)
        raw.put_item(TableName="T", Item={**KEY, "v": {"S": "new"}})
        assert value(client) is None
        tell(cache)
        assert value(client) == {"S": "new"}


def test_a_server_over_http_is_no_mock() -> None:
    raw = boto3.Session().client("dynamodb", **HERE, endpoint_url="http://127.0.0.1:1")
    client, _ = wrapped(raw)
    answer(raw, GetItem=made(Item=ITEM))
    with mock_aws():
        assert reads(client) == [False, True]


def test_clients_under_an_installation_heed_mocks_and_the_switch(raw: Any) -> None:
    installation = daxlite.install(Cache(CacheConfig(settle_window=0)))
    try:
        with mock_aws():
            create(raw, "pk")
            seen = reads(raw)
            with enabled():
                seen += reads(raw)
                with disabled():
                    seen += reads(raw, 1)
    finally:
        daxlite.uninstall()
    assert seen == [False, False, False, True, False]
    assert installation.cache.stats().tables["T"]["item"].bypasses == {"mocked": 2, "disabled": 1}


def test_a_client_that_moto_was_told_of_later(raw: Any) -> None:
    raw.meta.events.unregister("before-send", botocore_stubber)  # as in a client that was made before moto was imported
    client, cache = wrapped(raw)
    answer(raw, GetItem=made(Item=ITEM))
    with mock_aws():
        reads(client)
        assert cache.stats().total.hits == 1
        patch_client(client)
        create(PLAIN, "pk")
        assert reads(client) == [False, False]


def test_an_older_moto_does_not_show_when_it_drops_its_data(raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = wrapped(raw)
    monkeypatch.delitem(sys.modules, "moto.core.decorator")
    with enabled(), mock_aws():
        create(raw, "pk")
        assert reads(client) == [False, False]


def test_a_stubber_answers_each_call(raw: Any) -> None:
    client, cache = wrapped(raw)
    for stubbed in (raw, client):
        with Stubber(stubbed) as stubber:
            for each in ("1", "2"):
                stubber.add_response("get_item", {"Item": {**KEY, "v": {"S": each}}}, {"TableName": "T", "Key": KEY})
            assert [value(client), value(client)] == [{"S": "1"}, {"S": "2"}]
            stubber.assert_no_pending_responses()
    assert cache.stats().tables["T"]["item"].bypasses == {"mocked": 4}


class OwnStubber(Stubber):
    """As people write them."""


def test_enabled_caches_what_a_stubber_answers_while_it_is_active(raw: Any, caplog: pytest.LogCaptureFixture) -> None:
    client, cache = wrapped(raw, settle_window=0)
    stubber = OwnStubber(client)
    with enabled(), caplog.at_level(logging.WARNING, "daxlite"):
        for each in ("1", "2"):
            with stubber:
                stubber.add_response("describe_table", {})
                stubber.add_response("get_item", {"Item": {**KEY, "v": {"S": each}}})
                assert [value(client), value(client)] == [{"S": each}] * 2
                stubber.assert_no_pending_responses()
    assert cache.stats().tables["T"]["item"].bypasses == {}
    assert not caplog.records, "a Stubber of one's own is no hook that rewrites"


def test_p4_a_result_computed_from_a_mock_does_not_outlive_it(raw: Any) -> None:
    client, _ = wrapped(raw)
    aggregations = AggregationCache(FakeRedis(), "shop")

    @aggregations.cached()
    def count() -> int:
        return int(client.scan(TableName="T")["Count"])

    for block in (disabled(), mock_aws(), enabled()):
        for expected in range(2):
            with block, mock_aws():
                create(raw, "pk")
                for number in range(expected):
                    raw.put_item(TableName="T", Item={"pk": {"S": str(number)}})
                assert [count(), count()] == [expected] * 2
    assert aggregations.stats().total.stored == 0
    aggregations.close()


def test_an_item_hit_of_a_client_that_a_mock_may_answer_takes_few_steps_more(raw: Any) -> None:
    """moto's handler is in it, and no mock is active."""
    client, _ = wrapped(raw)
    answer(raw, GetItem=made(Item=ITEM))
    assert reads(client) == [False, True]
    with_moto = work(lambda: client.get_item(TableName=TABLE, Key=KEY))
    raw.meta.events.unregister("before-send", botocore_stubber)
    without = work(lambda: client.get_item(TableName=TABLE, Key=KEY))
    assert is_hit(client.get_item(TableName=TABLE, Key=KEY))
    assert without < with_moto <= without + 80
