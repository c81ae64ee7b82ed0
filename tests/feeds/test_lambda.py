"""`lambda_handler`, given events of DynamoDB streams. What a Kinesis stream adds is in `test_kinesis.py`."""

import logging
from typing import Any

import pytest
import redis

from daxlite.feeds.applying import CHUNK
from daxlite.feeds.aws_lambda import LambdaHandler
from tests.feeds.events import DONE, counts, event, failed
from tests.feeds.shop import EXPIRED, TABLE_ARN, Shop, item_of


class TestChanges:
    def test_p6_what_another_program_writes_is_read_by_all(self, shop: Shop, handler: LambdaHandler) -> None:
        assert (shop.read(1), shop.page()) == (1, {1: 1, 2: 1, 3: 1})
        assert handler(event(shop.write(item_of(1, 2)))) == DONE
        assert (shop.read(1), shop.page()) == (2, {1: 2, 2: 1, 3: 1})

    def test_what_did_not_change_stays(self, shop: Shop, handler: LambdaHandler) -> None:
        shop.read(2)
        handler(event(shop.write(item_of(1, 2))))
        assert shop.reads == 1
        assert (shop.read(1), shop.reads) == (2, 1)
        assert (shop.read(2), shop.reads) == (1, 0)

    def test_an_item_that_dynamodb_deletes_goes(self, shop: Shop, handler: LambdaHandler) -> None:
        assert shop.read(1) == 1
        assert handler(event(shop.write(item_of(1, 1), delete=True, who=EXPIRED))) == DONE
        assert (shop.read(1), shop.page()) == (None, {2: 1, 3: 1})
        assert counts(handler).expiries == 1

    def test_an_item_that_is_stored_as_the_record_shows_it_stays(self, shop: Shop, handler: LambdaHandler) -> None:
        record = shop.write(item_of(1, 2))
        assert (shop.read(1), shop.reads) == (2, 1)
        handler(event(record))
        assert (shop.read(1), shop.reads) == (2, 0)

    def test_a_record_of_no_change_costs_nothing(self, shop: Shop, handler: LambdaHandler) -> None:
        shop.page()
        assert handler(event(shop.write(item_of(1, 1)))) == DONE
        assert shop.reads == 1
        assert (shop.page(), shop.reads) == ({1: 1, 2: 1, 3: 1}, 0)
        assert (counts(handler).unchanged, counts(handler).applied) == (1, 0)

    def test_many_records_are_applied_in_their_order(self, shop: Shop, handler: LambdaHandler) -> None:
        records = [shop.write(item_of(1, version)) for version in range(2, 2 * CHUNK + 50)]
        shop.read(1)
        shop.write(item_of(1, 9999))
        assert handler(event(*records, shop.records[-1])) == DONE
        assert shop.read(1) == 9999
        assert counts(handler).records == len(records) + 1

    def test_a_record_that_is_brought_again_does_no_harm(self, shop: Shop, handler: LambdaHandler) -> None:
        first, second = shop.write(item_of(1, 2)), shop.write(item_of(1, 3))
        for records in ([first, second], [first, second], [second], [first]):
            assert handler(event(*records)) == DONE
            assert shop.read(1) == 3

    def test_the_results_of_aggregations_go_too(self, shop: Shop, handler: LambdaHandler) -> None:
        with shop.aggregations() as aggregations:
            total = aggregations.cached(ttl=300)(lambda: sum(shop.page().values()))
            assert (total(), total()) == (3, 3)
            assert handler(event(shop.write(item_of(1, 2)))) == DONE
            assert total() == 4

    def test_the_lag_and_the_counts_are_known(self, shop: Shop, handler: LambdaHandler) -> None:
        record = shop.write(item_of(1, 2))
        shop.simulator.clock.advance(3)
        handler(event(record, {**record, "eventName": "RESTORE"}))
        assert handler.stats().keys() == {TABLE_ARN}
        found = counts(handler)
        assert (found.table, found.records, found.unknown_events) == (TABLE_ARN, 2, 1)
        assert found.lag == pytest.approx(3)


class TestDelivery:
    """A Lambda stands still after it returns, so a batch is done once Redis knows all of it."""

    def test_a_batch_of_which_redis_cannot_be_told_is_brought_again(self, shop: Shop, handler: LambdaHandler) -> None:
        assert shop.read(1) == 1
        records = [shop.write(item_of(1, 2)), shop.write(item_of(2, 2))]
        with shop.server.down():
            assert handler(event(*records)) == failed(records[0])
            assert handler(event(*records)) == failed(records[0])
        assert handler(event(*records)) == DONE
        assert shop.read(1) == 2

    def test_what_was_left_is_delivered_with_the_next_batch(self, shop: Shop, handler: LambdaHandler) -> None:
        assert (shop.read(1), shop.read(2)) == (1, 1)
        lost, next_ = shop.write(item_of(1, 2)), shop.write(item_of(2, 2))
        with shop.server.down():
            handler(event(lost))
        assert handler(event(next_)) == DONE  # Lambda gave the first one up
        assert (shop.read(1), shop.read(2)) == (2, 2)

    def test_the_first_record_of_those_that_failed_is_named(self, shop: Shop, handler: LambdaHandler) -> None:
        records = [shop.write(item_of(number, 2)) for number in range(CHUNK + 10)]
        take, taken = handler._tables.take, list[int]()

        def take_one(batch: Any) -> bool:
            taken.append(len(batch))
            if len(taken) == 1:
                return take(batch)
            with shop.server.down():
                return take(batch)

        handler._tables.take = take_one  # type: ignore[method-assign]
        assert handler(event(*records)) == failed(records[CHUNK])
        assert taken == [CHUNK, 10]

    @pytest.mark.parametrize("number", range(8))
    def test_no_command_that_fails_loses_a_change(self, shop: Shop, handler: LambdaHandler, number: int) -> None:
        """Whichever command it is: if the batch counts as done, readers see it."""
        assert (shop.read(1), shop.page()) == (1, {1: 1, 2: 1, 3: 1})
        record = shop.write(item_of(1, 2))
        shop.server.fail_at(number)
        response = handler(event(record))
        shop.server.failing = lambda command: None
        if response != DONE:
            assert response == failed(record)
            assert handler(event(record)) == DONE
        assert (shop.read(1), shop.page()) == (2, {1: 2, 2: 1, 3: 1})

    def test_a_server_that_takes_no_writes_is_one_that_was_not_told(self, shop: Shop, handler: LambdaHandler) -> None:
        assert shop.read(1) == 1
        record = shop.write(item_of(1, 2))
        shop.server.refusing = lambda command: "OOM command not allowed when used memory > 'maxmemory'."
        assert handler(event(record)) == failed(record)
        shop.server.refusing = lambda command: None
        assert handler(event(record)) == DONE
        assert shop.read(1) == 2

    def test_what_aggregations_owe_counts_too(self, shop: Shop, handler: LambdaHandler) -> None:
        with shop.aggregations("another") as aggregations:
            total = aggregations.cached(ttl=300)(lambda: sum(shop.page().values()))
            assert total() == 3
            record = shop.write(item_of(1, 2))

            def fail(command: tuple[Any, ...]) -> BaseException | None:
                return redis.ConnectionError("down") if "another:" in str(command) else None

            shop.server.failing = fail
            assert handler(event(record)) == failed(record)
            shop.server.failing = lambda command: None
            assert handler(event(record)) == DONE
            assert total() == 4

    def test_a_failure_is_logged(self, shop: Shop, handler: LambdaHandler, caplog: pytest.LogCaptureFixture) -> None:
        record = shop.write(item_of(1, 2))
        with shop.server.down(), caplog.at_level(logging.WARNING, "daxlite"):
            handler(event(record))
        assert "could not be told of 1 of 1 changes" in caplog.text
        assert "ReportBatchItemFailures" in caplog.text

    @pytest.mark.faults_expected
    def test_a_fault_of_daxlites_costs_the_table_and_not_the_stream(
        self, shop: Shop, handler: LambdaHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert (shop.read(1), shop.read(2)) == (1, 1)

        def fail(*_: Any) -> Any:
            raise RuntimeError("a fault")

        with monkeypatch.context() as patch:
            patch.setattr("daxlite.feeds.applying.take", fail)
            assert handler(event(shop.write(item_of(1, 2)))) == DONE
        assert shop.reads == 2
        assert (shop.read(1), shop.read(2), shop.reads) == (2, 1, 2)
        assert (shop.feed.stats().faults, counts(handler).gaps) == (1, 1)


class TestRecordsThatTellTooLittle:
    @pytest.mark.parametrize("odd", [{"eventSource": "aws:dynamodb2"}, {"eventSourceARN": None}, None])
    def test_one_of_another_source_holds_up_nothing(self, shop: Shop, handler: LambdaHandler, odd: Any) -> None:
        assert (shop.read(1), shop.read(2)) == (1, 1)
        record = shop.write(item_of(1, 2))
        assert handler(event(record, None if odd is None else {**record, **odd})) == DONE
        assert (shop.read(1), shop.read(2)) == (2, 1)

    def test_one_costs_everything_of_its_table(self, shop: Shop, handler: LambdaHandler) -> None:
        assert (shop.read(1), shop.read(2)) == (1, 1)
        record, other = shop.write(item_of(1, 2)), shop.write(item_of(2, 2))
        del record["dynamodb"]["Keys"]
        assert handler(event(record, other)) == DONE
        assert (shop.read(1), shop.read(2)) == (2, 2)
        assert (counts(handler).gaps, counts(handler).records) == (1, 2)

    def test_one_that_redis_cannot_be_told_of_is_brought_again(self, shop: Shop, handler: LambdaHandler) -> None:
        record = shop.write(item_of(1, 2))
        del record["dynamodb"]["Keys"]
        with shop.server.down():
            assert handler(event(record)) == failed(record)
        assert handler(event(record)) == DONE

    def test_one_without_a_number_stands_for_the_whole_batch(self, shop: Shop, handler: LambdaHandler) -> None:
        record = shop.write(item_of(1, 2))
        record["dynamodb"] = None
        with shop.server.down():
            assert handler(event(record)) == {"batchItemFailures": [{"itemIdentifier": ""}]}
        assert handler(event(record)) == DONE
