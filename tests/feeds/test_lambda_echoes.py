"""`lambda_handler` excuses the records of writes that wrapped clients made."""

import math
from typing import Any

import boto3
import pytest

import daxlite
from daxlite.feeds import lambda_handler
from daxlite.feeds.aws_lambda import LambdaHandler
from daxlite.feeds.brought_table import ANNOUNCE_EVERY, ANNOUNCED_FOR
from tests.feeds.events import DONE, announcement, counts, event
from tests.feeds.shop import STREAM, Shop, item_of
from tests.simulated_client import SHAPE, TABLE
from tests.simulator import Simulator
from tests.simulator.tables import ACCOUNT, REGION


class TestOwnWrites:
    """Writers of the namespace leave excuses once the table is announced, and their records cost nothing then."""

    @pytest.fixture
    def writer(self, shop: Shop, handler: LambdaHandler) -> Any:
        """A wrapped client that knows of the announcement."""
        handler(event(shop.write(item_of(3, 7))))
        writer = daxlite.wrap(shop.raw, shop.process())
        self.learn(shop, writer)
        return writer

    def learn(self, shop: Shop, writer: Any) -> None:
        """Writers ask every few seconds whether a table is followed, with a write."""
        shop.simulator.clock.advance(30)
        shop.write(item_of(3, 8), client=writer)
        shop.write(item_of(3, 9), client=writer)

    def test_their_records_are_excused(self, shop: Shop, handler: LambdaHandler, writer: Any) -> None:
        record = shop.write(item_of(1, 2), client=writer)
        assert shop.page() == {1: 2, 2: 1, 3: 9}
        assert shop.reads >= 1
        shop.simulator.clock.advance(30)
        shop.page()
        assert shop.reads <= 1
        assert handler(event(record)) == DONE
        assert (counts(handler).echoes, shop.page(), shop.reads) == (1, {1: 2, 2: 1, 3: 9}, 0)

    def test_one_that_is_brought_again_is_applied(self, shop: Shop, handler: LambdaHandler, writer: Any) -> None:
        record = shop.write(item_of(1, 2), client=writer)
        handler(event(record))
        handler(event(record))
        assert (counts(handler).echoes, counts(handler).applied) == (1, 2)

    def test_p6_a_write_of_another_program_is_none(self, shop: Shop, handler: LambdaHandler, writer: Any) -> None:
        own, others = shop.write(item_of(1, 2), client=writer), shop.write(item_of(1, 3))
        handler(event(own, others))
        assert (counts(handler).echoes, shop.read(1)) == (1, 3)

    def test_p6_another_account_excuses_nothing(self, shop: Shop, handler: LambdaHandler, writer: Any) -> None:
        """The same deployment goes to two accounts, which share a namespace."""
        elsewhere = Simulator()
        answer = elsewhere.answer

        def of_another(operation: str, request: Any) -> Any:
            response = answer(operation, request)
            if operation == "DescribeTable":
                response["Table"]["TableArn"] = response["Table"]["TableArn"].replace(ACCOUNT, "999999999999")
            return response

        elsewhere.answer = of_another  # type: ignore[method-assign]
        raw = boto3.client("dynamodb", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="y")
        elsewhere.connect(raw)
        raw.create_table(TableName=TABLE, **SHAPE)
        other = daxlite.wrap(raw, shop.process())
        for version in (8, 9):  # it learns of the announcement, if that is for it
            other.put_item(TableName=TABLE, Item=item_of(3, version))
        other.put_item(TableName=TABLE, Item=item_of(1, 2))
        shop.simulator.clock.advance(30)
        assert shop.read(1) == 1
        assert handler(event(shop.write(item_of(1, 2)))) == DONE
        assert shop.read(1) == 2
        raw.close()

    def test_another_lambda_shares_the_epoch(self, shop: Shop, handler: LambdaHandler, writer: Any) -> None:
        other = lambda_handler(shop.process(), client=shop.raw)
        assert other(event(shop.write(item_of(1, 2), client=writer))) == DONE
        assert counts(other).echoes == 1

    def test_after_a_long_silence_the_epoch_is_another_one(
        self, shop: Shop, handler: LambdaHandler, writer: Any
    ) -> None:
        before, record = announcement(shop), shop.write(item_of(1, 2), client=writer)
        shop.simulator.clock.advance(ANNOUNCED_FOR)
        handler(event(record))
        after = announcement(shop)
        assert before is not None
        assert after is not None
        assert before.epoch.id != after.epoch.id
        assert counts(handler).echoes == 0

    def test_it_is_announced_anew_before_it_ends(self, shop: Shop, handler: LambdaHandler, writer: Any) -> None:
        before = announcement(shop)
        assert before is not None
        for _ in range(6):
            shop.simulator.clock.advance(ANNOUNCE_EVERY)
            handler(event(shop.records[-1]))
        assert announcement(shop) == before

    def test_after_a_batch_that_failed_the_epoch_is_another_one(
        self, shop: Shop, handler: LambdaHandler, writer: Any
    ) -> None:
        """Lambda may have given it up, and excuses of what was in it must not excuse what comes later."""
        before, record = announcement(shop), shop.write(item_of(1, 2), client=writer)
        with shop.server.down():
            handler(event(shop.write(item_of(2, 2))))
        handler(event(record))
        assert announcement(shop) != before
        assert counts(handler).echoes == 0

    def test_p6_another_stream_is_a_gap(self, shop: Shop, handler: LambdaHandler, writer: Any) -> None:
        """What changed between the two is in none of them. In a new process, for it was the stream of another table."""
        before = announcement(shop)
        assert shop.read(2) == 1
        shop.raw.put_item(TableName=TABLE, Item=item_of(2, 2))
        shop.stream = STREAM.replace("15:00", "16:00")
        new = lambda_handler(shop.process(), client=shop.raw)
        new(event(shop.write(item_of(1, 2), client=writer)))
        assert (shop.read(2), counts(new).gaps, counts(new).echoes) == (2, 1, 0)
        new(event(shop.write(item_of(1, 3))))
        assert counts(new).gaps == 1
        assert announcement(shop) != before

    def test_another_follower_is_one_gap_and_no_more(self, shop: Shop, handler: LambdaHandler) -> None:
        """As a thread that follows the same stream: two are one too many, but no harm."""
        for _ in range(3):
            handler(event(shop.write(item_of(1, 2))))
            (key,) = shop.server.keys("follower")
            shop.server.data[key] = shop.server.data[key][0][:-16] + bytes(16), math.inf
            shop.simulator.clock.advance(ANNOUNCE_EVERY)
        assert counts(handler).gaps == 0
        other = lambda_handler(shop.process(), client=shop.raw)
        for _ in range(3):
            other(event(shop.write(item_of(1, 2))))
            shop.server.data[key] = shop.server.data[key][0][:-16] + bytes(16), math.inf
            shop.simulator.clock.advance(ANNOUNCE_EVERY)
        assert counts(other).gaps == 1

    @pytest.mark.parametrize("is_one_batch", [True, False])
    def test_p6_a_record_that_tells_too_little_leaves_no_excuse_behind(
        self, shop: Shop, handler: LambdaHandler, writer: Any, *, is_one_batch: bool
    ) -> None:
        own, others = shop.write(item_of(1, 2), client=writer), shop.write(item_of(1, 3))
        for record in (own, others):
            del record["dynamodb"]["Keys"]
        if is_one_batch:
            assert handler(event(own, others, shop.write(item_of(1, 2)))) == DONE
        else:
            handler(event(own, others))
            assert shop.read(1) == 3
            shop.simulator.clock.advance(ANNOUNCE_EVERY)
            handler(event(shop.write(item_of(1, 2))))
        assert shop.read(1) == 2
        assert is_one_batch or not counts(handler).echoes

    def test_the_records_of_an_older_stream_are_not_excused(self, shop: Shop) -> None:
        old = shop.write(item_of(1, 2))
        shop.stream = STREAM.replace("15:00", "16:00")
        lambda_handler(shop.feed, client=shop.raw)(event(old))
        assert announcement(shop) is None

    @pytest.mark.parametrize(
        ("view", "is_announced"), [("NEW_IMAGE", True), ("OLD_IMAGE", False), ("KEYS_ONLY", False)]
    )
    def test_a_stream_without_new_images_is_not_announced(
        self, shop: Shop, handler: LambdaHandler, view: str, *, is_announced: bool
    ) -> None:
        shop.view = view
        handler(event(shop.write(item_of(1, 2))))
        assert (announcement(shop) is not None) == is_announced
