"""`lambda_handler`, given events of a Kinesis data stream for DynamoDB, whose records come twice, or in any order."""

import logging
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import daxlite
from daxlite.feeds import lambda_handler
from daxlite.feeds.aws_lambda import LambdaHandler
from tests.feeds.events import DONE, counts
from tests.feeds.observing import Program, Step, programs
from tests.feeds.shop import EXPIRED, KINESIS, TABLE_ARN, Shop, item_of, key_of, kinesis_record, payload
from tests.simulated_client import SHAPE, TABLE


def event(*payloads: Any, arn: str = KINESIS) -> dict[str, Any]:
    return {"Records": [kinesis_record(each, str(number), arn) for number, each in enumerate(payloads, 1)]}


class TestChanges:
    def test_p6_what_another_program_writes_is_read_by_all(self, shop: Shop, handler: LambdaHandler) -> None:
        assert (shop.read(1), shop.page()) == (1, {1: 1, 2: 1, 3: 1})
        assert handler(event(payload(shop.write(item_of(1, 2))))) == DONE
        assert (shop.read(1), shop.page()) == (2, {1: 2, 2: 1, 3: 1})
        assert handler.stats().keys() == {TABLE_ARN}

    def test_an_item_that_dynamodb_deletes_goes(self, shop: Shop, handler: LambdaHandler) -> None:
        assert shop.read(1) == 1
        handler(event(payload(shop.write(item_of(1, 1), delete=True, who=EXPIRED))))
        assert (shop.read(1), counts(handler).expiries) == (None, 1)

    def test_what_did_not_change_stays(self, shop: Shop, handler: LambdaHandler) -> None:
        assert (shop.read(2), shop.reads) == (1, 1)
        handler(event(payload(shop.write(item_of(1, 2)))))
        assert (shop.read(2), shop.reads) == (1, 0)

    def test_an_item_that_is_stored_as_the_record_shows_it_stays(self, shop: Shop, handler: LambdaHandler) -> None:
        record = payload(shop.write(item_of(1, 2)))
        assert (shop.read(1), shop.reads) == (2, 1)
        handler(event(record))
        assert (shop.read(1), shop.reads) == (2, 0)

    def test_own_writes_are_not_excused(self, shop: Shop, handler: LambdaHandler) -> None:
        """An excuse stands for one record, and here its record may come twice, or after another one."""
        writer = daxlite.wrap(shop.raw, shop.process())
        for version in (2, 3, 4):
            shop.simulator.clock.advance(30)
            handler(event(payload(shop.write(item_of(1, version), client=writer))))
        assert (counts(handler).echoes, counts(handler).applied) == (0, 3)
        assert not shop.server.keys("follower")

    def test_one_event_may_have_several_tables(self, shop: Shop, handler: LambdaHandler) -> None:
        shop.raw.create_table(TableName="Others", **SHAPE)
        shop.raw.put_item(TableName="Others", Item=item_of(1, 1))

        def read_other() -> Any:
            return shop.reader.get_item(TableName="Others", Key=key_of(1))["Item"]["v"]

        assert (shop.read(1), read_other()) == (1, {"N": "1"})
        ours = payload(shop.write(item_of(1, 2)))
        shop.raw.put_item(TableName="Others", Item=item_of(1, 5))
        theirs = {**ours, "tableName": "Others"}
        theirs["dynamodb"] = {**theirs["dynamodb"], "NewImage": item_of(1, 5)}
        assert handler(event(theirs, ours, theirs)) == DONE
        assert (shop.read(1), read_other()) == (2, {"N": "5"})
        found = {name.rpartition("/")[2]: stats.records for name, stats in handler.stats().items()}
        assert found == {"Others": 2, TABLE: 1}

    @pytest.mark.parametrize(
        ("moment", "precision"),
        [(1_790_000_000_250, None), (1_790_000_000_250, "MILLISECOND"), (1_790_000_000_250_000, "MICROSECOND")],
    )
    def test_a_moment_has_either_precision(self, shop: Shop, moment: int, precision: str | None) -> None:
        handler = lambda_handler(shop.process(wall_clock=lambda: 1_790_000_003.0), client=shop.raw)
        told = {"ApproximateCreationDateTime": moment, "ApproximateCreationDateTimePrecision": precision}
        handler(event(payload(shop.write(item_of(1, 2)), **told)))
        assert counts(handler).lag == pytest.approx(2.75)

    def test_a_consumer_with_a_throughput_of_its_own_has_another_arn(self, shop: Shop, handler: LambdaHandler) -> None:
        arn = f"{KINESIS}/consumer/cache:1760000000"
        assert shop.read(1) == 1
        assert handler(event(payload(shop.write(item_of(1, 2))), arn=arn)) == DONE
        assert (shop.read(1), handler.stats().keys()) == (2, {TABLE_ARN})

    def test_a_batch_of_which_redis_cannot_be_told_is_brought_again(self, shop: Shop, handler: LambdaHandler) -> None:
        assert shop.read(1) == 1
        batch = event(payload(shop.write(item_of(1, 2))), payload(shop.write(item_of(2, 2))))
        with shop.server.down():
            assert handler(batch) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
        assert handler(batch) == DONE
        assert shop.read(1) == 2


class TestRecordsThatTellTooLittle:
    def test_one_of_a_table_costs_everything_of_it(self, shop: Shop, handler: LambdaHandler) -> None:
        assert (shop.read(1), shop.read(2)) == (1, 1)
        record = payload(shop.write(item_of(1, 2)))
        del record["dynamodb"]["Keys"]
        assert handler(event(record)) == DONE
        assert shop.reads == 2
        assert (shop.read(1), shop.read(2), shop.reads) == (2, 1, 2)
        assert counts(handler).gaps == 1

    @pytest.mark.parametrize(
        "data", [b"no JSON", b"[1]", {}, {"tableName": 7}, {"tableName": ""}, {"tableName": "a/b"}, {"reading": 21.5}]
    )
    def test_one_of_no_table_costs_everything(
        self, shop: Shop, handler: LambdaHandler, data: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert (shop.read(1), shop.read(2)) == (1, 1)
        record = payload(shop.write(item_of(1, 2)))
        with caplog.at_level(logging.ERROR, "daxlite"):
            assert handler(event(data, data)) == DONE
            assert handler(event(data, record)) == DONE
        assert shop.reads == 2
        assert (shop.read(1), shop.read(2), shop.reads) == (2, 1, 2)
        assert (handler.stats()[KINESIS].records, handler.stats()[KINESIS].gaps) == (3, 2)
        assert caplog.text.count(f"{KINESIS} brings records that do not tell their table") == 1

    def test_what_is_no_base64_is_one(self, shop: Shop, handler: LambdaHandler) -> None:
        record = kinesis_record({})
        for data in ("*", None, 7):
            record["kinesis"]["data"] = data
            assert handler({"Records": [record, {**record, "kinesis": data}]}) == DONE
        assert handler.stats()[KINESIS].gaps == 3

    def test_redis_has_to_be_told_of_that_too(self, shop: Shop, handler: LambdaHandler) -> None:
        assert shop.read(1) == 1
        shop.write(item_of(1, 2))
        with shop.server.down():
            assert handler(event(b"")) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
        assert handler(event(b"")) == DONE
        assert shop.read(1) == 2

    def test_the_results_of_aggregations_go_too(self, shop: Shop, handler: LambdaHandler) -> None:
        with shop.aggregations() as aggregations:
            total = aggregations.cached(ttl=300)(lambda: sum(shop.page().values()))
            assert total() == 3
            shop.write(item_of(1, 2))
            handler(event(b""))
            assert total() == 4


BRINGS = st.tuples(st.just("bring"), st.lists(st.integers(0, 30), min_size=1, max_size=4), st.none())


@given(programs(BRINGS, BRINGS), st.randoms(use_true_random=False), st.integers(1, 5))
# What was written last comes first, in one batch; what is stored is as the record that comes last shows it.
@example([("write", 1, 2), ("read", 1, 0), ("write", 1, 3), ("bring", [1, 0], None)], Random(0), 5)
def test_p6_any_order_and_any_repetition_converge(
    one_shop: Shop, steps: Sequence[Step], random: Random, size: int
) -> None:
    """Reads between writes, and records that come late, twice, or in another order, several at once."""
    program = Program(one_shop)
    handler = lambda_handler(one_shop.feed, client=one_shop.raw)
    come: set[int] = set()
    """The records that have come, by their places."""

    def bring(places: Sequence[int]) -> None:
        assert handler(event(*[payload(one_shop.records[place]) for place in places])) == DONE
        come.update(places)

    for step in steps:
        if step[0] == "bring":
            bring([place for place in step[1] if place < len(one_shop.records)])
        else:
            program.take(step)
    every = range(len(one_shop.records))
    left = [*(set(every) - come), *random.sample(every, len(every) // 2)]
    random.shuffle(left)
    for first in range(0, len(left), size):
        bring(left[first : first + size])
        program.look()
    program.check()
