"""`lambda_handler` describes the tables of which it hears: their keys, their indexes, and whether they are the same."""

import logging

import pytest

import daxlite
from daxlite import CacheConfig, TableConfig
from daxlite.feeds import lambda_handler
from daxlite.feeds.aws_lambda import LambdaHandler
from daxlite.feeds.described import DESCRIBE_EVERY, LOOK_AGAIN
from tests.feeds.events import DONE, counts, event
from tests.feeds.shop import LONG, STREAM, TABLE_ARN, Shop, item_of
from tests.simulated_client import SHAPE, TABLE
from tests.simulator.errors import RefusedError


class TestDescriptions:
    def test_a_table_is_described_once_a_minute(self, shop: Shop, handler: LambdaHandler) -> None:
        record = shop.write(item_of(1, 2))
        for expected in (1, 1):
            handler(event(record))
            assert shop.descriptions == expected
        shop.simulator.clock.advance(DESCRIBE_EVERY)
        handler(event(record))
        assert shop.descriptions == 2

    def test_a_lambda_that_stood_still_describes_it_again(self, shop: Shop) -> None:
        wall = 0.0
        stopped = shop.process(wall_clock=lambda: wall)
        handler = lambda_handler(stopped, client=shop.raw)
        record = shop.write(item_of(1, 2))
        handler(event(record))
        wall = DESCRIBE_EVERY
        handler(event(record))
        assert shop.descriptions == 2

    def test_an_index_that_was_added_is_noticed(self, shop: Shop) -> None:
        shop.open(item_of(1, 1), GlobalSecondaryIndexes=[], AttributeDefinitions=SHAPE["AttributeDefinitions"][:2])
        handler = lambda_handler(shop.feed, client=shop.raw)
        handler(event(shop.write(item_of(1, 2))))
        shop.raw.update_table(
            TableName=TABLE,
            AttributeDefinitions=SHAPE["AttributeDefinitions"],
            GlobalSecondaryIndexUpdates=[{"Create": SHAPE["GlobalSecondaryIndexes"][0]}],
        )
        shop.simulator.clock.advance(DESCRIBE_EVERY)
        assert len(shop.by_owner(client=shop.reader)["Items"]) == 1
        handler(event(shop.write(item_of(1, 2, owner={"S": "bob"}))))
        shop.simulator.clock.advance(60)
        assert shop.by_owner(client=shop.reader)["Items"] == []

    def test_a_table_that_was_made_anew_is_noticed(self, shop: Shop, handler: LambdaHandler) -> None:
        handler(event(shop.write(item_of(1, 2))))
        assert shop.read(2) == 1
        shop.raw.delete_table(TableName=TABLE)
        shop.raw.create_table(TableName=TABLE, **SHAPE)
        shop.made, shop.stream = 2.0, STREAM.replace("15:00", "16:00")
        shop.simulator.clock.advance(DESCRIBE_EVERY)
        handler(event(shop.write(item_of(1, 1))))
        assert shop.read(2) is None

    def test_so_is_one_whose_keys_were_given(self, shop: Shop) -> None:
        schema = daxlite.TableSchema(daxlite.KeySchema.of("pk", "sk"), {})
        cache = shop.process(CacheConfig(**LONG, tables={TABLE: TableConfig(schema=schema)}))
        handler = lambda_handler(cache, client=shop.raw)
        record = shop.write(item_of(1, 2))
        handler(event(record))
        assert (shop.read(2), counts(handler).gaps) == (1, 0)
        shop.made = 2.0
        shop.simulator.clock.advance(DESCRIBE_EVERY)
        handler(event(record))
        assert (counts(handler).gaps, shop.reads) == (1, 1)
        assert (shop.read(2), shop.reads) == (1, 1)

    def test_a_table_that_is_gone_takes_what_was_cached_of_it_along(self, shop: Shop, handler: LambdaHandler) -> None:
        record = shop.write(item_of(1, 2))
        handler(event(record))
        for _ in range(2):
            shop.simulator.clock.advance(
                10
            )  # what was read of a table that Redis knows since a moment is soon read again
            assert shop.read(2) == 1
        shop.raw.delete_table(TableName=TABLE)
        shop.simulator.clock.advance(10)
        assert shop.read(2) == 1
        shop.simulator.clock.advance(DESCRIBE_EVERY)
        assert handler(event(record)) == DONE
        with pytest.raises(shop.raw.exceptions.ResourceNotFoundException):
            shop.read(2)
        shop.raw.create_table(TableName=TABLE, **SHAPE)
        shop.simulator.clock.advance(LOOK_AGAIN)
        before = shop.descriptions
        handler(event(shop.write(item_of(1, 1))))
        assert shop.descriptions == before + 1

    def test_where_it_is_forbidden_a_record_costs_the_table(
        self, shop: Shop, handler: LambdaHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert (shop.read(1), shop.read(2), shop.page()) == (1, 1, {1: 1, 2: 1, 3: 1})
        shop.refusing = RefusedError("AccessDeniedException", "no")
        before = shop.descriptions
        with caplog.at_level(logging.WARNING, "daxlite"):
            for version in (2, 3):
                assert handler(event(shop.write(item_of(1, version)))) == DONE
                assert (shop.read(1), shop.page()) == (version, {1: version, 2: 1, 3: 1})
                shop.simulator.clock.advance(DESCRIBE_EVERY)
        assert shop.descriptions == before + 2
        assert [record.getMessage().split(", ")[0] for record in caplog.records] == [
            f"IAM forbids DescribeTable for {TABLE_ARN}"
        ]
        assert counts(handler).echoes == 0

    def test_where_it_fails_it_is_tried_again_before_long(self, shop: Shop, handler: LambdaHandler) -> None:
        shop.refusing = RefusedError("ThrottlingException", "later")
        record = shop.write(item_of(1, 2))
        assert handler(event(record)) == DONE
        shop.refusing = None
        before = shop.descriptions
        handler(event(record))
        assert shop.descriptions == before
        shop.simulator.clock.advance(LOOK_AGAIN)
        handler(event(record))
        assert shop.descriptions == before + 1

    def test_a_schema_that_is_given_needs_no_description(self, shop: Shop) -> None:
        schema = daxlite.TableSchema(daxlite.KeySchema.of("pk", "sk"), {})
        assert (shop.read(1), shop.read(2)) == (1, 1)
        shop.refusing = RefusedError("AccessDeniedException", "no")
        cache = shop.process(CacheConfig(**LONG, tables={TABLE: TableConfig(schema=schema)}))
        lambda_handler(cache, client=shop.raw)(event(shop.write(item_of(1, 2))))
        assert shop.reads == 2
        assert (shop.read(1), shop.read(2), shop.reads) == (2, 1, 1)
