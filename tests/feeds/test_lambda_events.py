"""What `lambda_handler` takes: events, and what is none; caches, clients and sessions."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite import Cache, CacheConfig, TableConfig
from daxlite.feeds import lambda_handler
from daxlite.feeds.aws_lambda import LambdaHandler
from tests.feeds.events import DONE, event
from tests.feeds.shop import STREAM, Shop, item_of
from tests.simulated_client import TABLE


class PowertoolsEvent(Mapping[str, Any]):
    """As the event classes of Powertools: a mapping over what came, which it has as `raw_event`."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.raw_event = data

    def __getitem__(self, name: str) -> Any:
        return self.raw_event[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw_event)

    def __len__(self) -> int:
        return len(self.raw_event)


class TestEvents:
    def test_a_class_of_powertools_is_an_event(self, shop: Shop, handler: LambdaHandler) -> None:
        assert shop.read(1) == 1
        assert handler(PowertoolsEvent(event(shop.write(item_of(1, 2)))), object()) == DONE
        assert shop.read(1) == 2

    @pytest.mark.parametrize("wrong", [None, [], "event", b"{}"])
    def test_what_is_no_mapping_is_refused(self, handler: LambdaHandler, wrong: Any) -> None:
        with pytest.raises(TypeError, match="it must be an event of a DynamoDB stream, or of a Kinesis data stream"):
            handler(wrong)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({}, "no list of Records"),
            ({"Records": None}, "no list of Records"),
            ({"Records": [None]}, "eventSource is ''"),
            ({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, "eventSource is 'aws:sqs'"),
            ({"Records": [{"EventSource": "aws:sns"}]}, "eventSource is ''"),
            ({"Records": [{"eventSource": "aws:dynamodb"}]}, "eventSourceARN is none of a DynamoDB stream"),
            ({"Records": [{"eventSource": "aws:dynamodb", "eventSourceARN": 7}]}, "none of a DynamoDB stream"),
            ({"Records": [{"eventSource": "aws:kinesis", "eventSourceARN": "x"}]}, "none of a Kinesis stream"),
        ],
    )
    def test_an_event_of_something_else_is_refused(self, handler: LambdaHandler, wrong: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            handler(wrong)

    def test_an_event_that_is_refused_changes_nothing(self, shop: Shop, handler: LambdaHandler) -> None:
        with pytest.raises(ValueError, match="aws:s3"):
            handler(event({"eventSource": "aws:s3"}, {"eventSource": "aws:sqs"}))
        assert handler.stats() == {}

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Keys", "S", "pk"]), inner),
            max_leaves=8,
        )
    )
    def test_no_content_holds_up_the_stream(self, one_shop: Shop, content: Any) -> None:
        if not hasattr(one_shop, "server"):
            one_shop.open()
        handler = lambda_handler(one_shop.feed, client=one_shop.raw)
        record = {"eventSource": "aws:dynamodb", "eventSourceARN": STREAM, "eventName": "MODIFY"}
        assert handler(event({**record, "dynamodb": content}, {**record, "dynamodb": {"Keys": content}})) == DONE


class TestArguments:
    def test_a_cache_without_a_tier_would_change_nothing(self) -> None:
        with pytest.raises(ValueError, match="cache has no shared tier, so records would change nothing elsewhere"):
            lambda_handler(Cache())

    def test_what_is_no_cache_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"cache is None; it must be a daxlite\.Cache"):
            lambda_handler(None)  # type: ignore[arg-type]

    def test_the_client_and_the_session_are_boto3s(self, shop: Shop) -> None:
        with pytest.raises(TypeError, match="client is an object; it must be a boto3 DynamoDB client"):
            lambda_handler(shop.feed, client=object())
        with pytest.raises(TypeError, match=r"session is an object; it must be a boto3\.Session"):
            lambda_handler(shop.feed, session=object())
        with pytest.raises(TypeError, match="give either a client or a session"):
            lambda_handler(shop.feed, client=shop.raw, session=boto3.Session())

    def test_the_table_is_described_in_the_region_of_its_stream(self, shop: Shop) -> None:
        handler = lambda_handler(shop.feed, client=shop.raw)
        clients = handler._tables._clients
        assert clients.of("us-east-1").dynamodb is shop.raw
        other = clients.of("eu-west-1").dynamodb
        assert other.meta.region_name == "eu-west-1"
        assert other._request_signer._credentials is shop.raw._request_signer._credentials
        other.close()
        given = boto3.Session("AKIA", "secret", region_name="us-east-1")
        made = lambda_handler(shop.feed, session=given)._tables._clients.of("eu-central-1").dynamodb
        assert made.meta.region_name == "eu-central-1"
        made.close()

    def test_a_table_without_a_part_in_the_tier_is_said_to_be_none(
        self, shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        cache = shop.process(CacheConfig(tables={TABLE: TableConfig(shared=False)}))
        handler = lambda_handler(cache, client=shop.raw)
        with caplog.at_level(logging.WARNING, "daxlite"):
            assert handler(event(shop.write(item_of(1, 2)), shop.write(item_of(1, 3)))) == DONE
        assert caplog.text.count("Orders has no part in the shared tier") == 1
