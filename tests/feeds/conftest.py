"""Fixtures of feeds: a shop on the simulated DynamoDB."""

import logging
from collections.abc import Callable, Iterator

import pytest

from daxlite.feeds import lambda_handler
from daxlite.feeds.aws_lambda import LambdaHandler
from tests.feeds.driving import Street
from tests.feeds.shop import Shop, item_of


@pytest.fixture(scope="session")
def one_shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture
def shop(one_shop: Shop) -> Shop:
    """A shop of three items, each of version 1. To make its clients takes long, so all tests share them."""
    one_shop.open(*[item_of(number, 1) for number in (1, 2, 3)])
    return one_shop


@pytest.fixture
def handler(shop: Shop) -> LambdaHandler:
    return lambda_handler(shop.feed, client=shop.raw)


@pytest.fixture
def street(shop: Shop) -> Iterator[Street]:
    """A shop whose table has a stream, and nobody who follows it."""
    made = Street(shop)
    yield made
    made.die()


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[str]]:
    """What was logged that has these words."""
    caplog.set_level(logging.WARNING, "daxlite")
    return lambda words: [text for text in caplog.messages if words in text]
