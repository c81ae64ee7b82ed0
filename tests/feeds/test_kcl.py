"""The record processor for the Kinesis Client Library, by the lines that its two processes exchange."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoRegionError

import daxlite
from daxlite import Cache
from daxlite.core.steps import Sleep
from daxlite.drivers.threads import ThreadDriver
from daxlite.feeds import FeedError, kcl
from daxlite.feeds.applying import CHUNK
from daxlite.feeds.kcl import ATTEMPTS, CHECKPOINT_EVERY, PAUSE, RecordProcessor
from tests.feeds.multilang import Daemon, processes
from tests.feeds.shop import TABLE_ARN, Shop, item_of, payload
from tests.simulated_client import TABLE

TAKEN = ["checkpoint"]


class Driver(ThreadDriver):
    """Sleeps by the clock of the test."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self.shop = shop
        self.slept: list[float] = []
        self.awake: Callable[[], None] = lambda: None

    def _take(self, step: Any, progress: Any, stop: Any) -> Any:
        if not isinstance(step, Sleep):
            return super()._take(step, progress, stop)
        self.slept.append(step.seconds)
        self.shop.simulator.clock.advance(step.seconds)
        self.awake()
        return None


@pytest.fixture(params=processes().items(), ids=processes())
def process(request: pytest.FixtureRequest) -> Any:
    return request.param[1]


@pytest.fixture
def processor(shop: Shop) -> RecordProcessor:
    """Of a shard of a Kinesis stream."""
    made = RecordProcessor(shop.feed, client=shop.raw)
    made._driver = Driver(shop)
    return made


@pytest.fixture
def daemon(process: Any, processor: RecordProcessor) -> Daemon:
    return Daemon(process, processor)


def adapted(record: dict[str, Any]) -> dict[str, Any]:
    """A record of a DynamoDB stream, as AWS's Kinesis adapter hands it on: without the ARN, moments in milliseconds."""
    told = record["dynamodb"]
    moment = told["ApproximateCreationDateTime"] * 1000
    kept = {name: record[name] for name in record if name != "eventSourceARN"}
    return {**kept, "dynamodb": {**told, "ApproximateCreationDateTime": moment}}


class TestKinesis:
    def test_p6_what_another_program_writes_is_read_by_all(self, shop: Shop, daemon: Daemon) -> None:
        assert (shop.read(1), shop.page()) == (1, {1: 1, 2: 1, 3: 1})
        assert daemon.initialize() == []
        assert daemon.records(payload(shop.write(item_of(1, 2))), payload(shop.write(item_of(2, 2)))) == TAKEN
        assert (shop.read(1), shop.page()) == (2, {1: 2, 2: 2, 3: 1})

    def test_its_records_are_not_excused(self, shop: Shop, daemon: Daemon, processor: RecordProcessor) -> None:
        writer = daxlite.wrap(shop.raw, shop.process())
        for version in (2, 3, 4):
            shop.simulator.clock.advance(30)
            daemon.records(payload(shop.write(item_of(1, version), client=writer)))
        assert processor.stats()[TABLE].applied == 3
        assert not shop.server.keys("follower")

    def test_the_table_is_described_in_the_region_that_the_record_names(
        self, shop: Shop, daemon: Daemon, processor: RecordProcessor
    ) -> None:
        record = payload(shop.write(item_of(1, 2)))
        daemon.records(record, {**record, "awsRegion": "no region!"})
        assert [*processor._tables._clients._known] == ["us-east-1"]
        assert processor.stats()["kinesis"].gaps == 1  # of which no table can be told

    @pytest.mark.parametrize("data", [b"no JSON", b"[]", {"reading": 21.5}])
    def test_one_that_names_no_table_costs_everything(self, shop: Shop, daemon: Daemon, data: Any) -> None:
        assert (shop.read(1), shop.read(2)) == (1, 1)
        assert daemon.records(data) == TAKEN
        assert shop.reads == 2
        assert (shop.read(1), shop.read(2), shop.reads) == (1, 1, 2)


class TestStreams:
    @pytest.fixture(params=[TABLE, TABLE_ARN])
    def processor(self, shop: Shop, request: pytest.FixtureRequest) -> RecordProcessor:
        return RecordProcessor(shop.feed, table=request.param, client=shop.raw)

    def test_the_table_is_the_one_that_was_given(self, shop: Shop, daemon: Daemon, processor: RecordProcessor) -> None:
        assert shop.read(1) == 1
        assert daemon.records(adapted(shop.write(item_of(1, 2)))) == TAKEN
        assert shop.read(1) == 2
        (counts,) = processor.stats().values()
        assert (counts.records, counts.lag) == (1, 0)

    def test_own_writes_are_excused(self, shop: Shop, daemon: Daemon, processor: RecordProcessor) -> None:
        writer = daxlite.wrap(shop.raw, shop.process())
        daemon.records(adapted(shop.write(item_of(3, 2))))
        for version in (3, 4):  # the writer asks whether the table is followed
            shop.write(item_of(3, version), client=writer)
            shop.simulator.clock.advance(30)
        daemon.records(adapted(shop.write(item_of(1, 2), client=writer)))
        (counts,) = processor.stats().values()
        assert counts.echoes == 1

    def test_records_of_a_kinesis_stream_are_not(self, shop: Shop, daemon: Daemon) -> None:
        daemon.records(payload(shop.write(item_of(1, 2))))
        assert not shop.server.keys("follower")

    def test_one_that_tells_too_little_costs_the_table(
        self, shop: Shop, daemon: Daemon, processor: RecordProcessor
    ) -> None:
        assert (shop.read(1), shop.read(2)) == (1, 1)
        assert daemon.records(b"no JSON", {"dynamodb": {}}) == TAKEN
        (counts,) = processor.stats().values()
        assert (counts.gaps, counts.records, shop.reads) == (1, 2, 2)
        assert (shop.read(1), shop.read(2), shop.reads) == (1, 1, 2)


class TestCheckpoints:
    def test_a_place_is_taken_once_redis_knows_all_before_it(self, shop: Shop, daemon: Daemon) -> None:
        assert (shop.read(1), shop.read(2)) == (1, 1)
        with shop.server.down():
            assert daemon.records(payload(shop.write(item_of(1, 2)))) == []
        assert daemon.records(payload(shop.write(item_of(2, 2)))) == TAKEN
        assert (shop.read(1), shop.read(2)) == (2, 2)

    def test_it_is_the_place_after_all_that_was_sent(self, shop: Shop, daemon: Daemon) -> None:
        records = [payload(shop.write(item_of(1, version))) for version in range(2, CHUNK + 10)]
        assert daemon.records(*records) == TAKEN
        assert [each["sequenceNumber"] for each in daemon.said] == [None]

    def test_it_is_taken_now_and_then(self, shop: Shop, daemon: Daemon) -> None:
        record = payload(shop.write(item_of(1, 2)))
        assert [daemon.records(record), daemon.records(record)] == [TAKEN, []]
        shop.simulator.clock.advance(CHECKPOINT_EVERY)
        assert daemon.records(record) == TAKEN

    def test_one_that_is_refused_is_taken_with_the_next_records(
        self, shop: Shop, daemon: Daemon, caplog: pytest.LogCaptureFixture
    ) -> None:
        record = payload(shop.write(item_of(1, 2)))
        daemon.refusing = lambda checkpoint: "ThrottlingException"
        with caplog.at_level(logging.WARNING, "daxlite"):
            assert daemon.records(record) == ["ThrottlingException"]
        assert "a checkpoint was refused: ThrottlingException" in caplog.text
        daemon.refusing = lambda checkpoint: None
        assert daemon.records(record) == TAKEN

    def test_a_process_that_is_to_end_takes_its_place(self, shop: Shop, daemon: Daemon) -> None:
        record = payload(shop.write(item_of(1, 2)))
        daemon.records(record)
        assert daemon.records(record) == []
        assert daemon.send("shutdownRequested") == TAKEN

    def test_but_not_with_something_undelivered(self, shop: Shop, daemon: Daemon) -> None:
        with shop.server.down():
            daemon.records(payload(shop.write(item_of(1, 2))))
            assert daemon.send("shutdownRequested") == []
        assert daemon.send("shutdownRequested") == TAKEN

    def test_a_process_that_lost_its_shard_takes_none(self, shop: Shop, daemon: Daemon) -> None:
        assert shop.read(1) == 1
        with shop.server.down():
            daemon.records(payload(shop.write(item_of(1, 2))))
            assert daemon.send("leaseLost") == []
        assert daemon.send("leaseLost") == []
        assert shop.read(1) == 2

    def test_what_is_not_understood_is_read_again_by_another_process(
        self, shop: Shop, daemon: Daemon, processor: RecordProcessor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The library prints what a processor raises, and goes on: a later place would leave these records out."""
        record = payload(shop.write(item_of(1, 2)))
        with monkeypatch.context() as patch:
            patch.setattr(processor._tables, "take", None)
            assert daemon.records(record) == []
        assert "TypeError" in daemon.errors.getvalue()
        assert (daemon.records(record), daemon.send("shutdownRequested")) == ([], [])


class TestEnds:
    def test_the_last_place_is_taken(self, shop: Shop, daemon: Daemon) -> None:
        daemon.records(payload(shop.write(item_of(1, 2))))
        assert daemon.send("shardEnded") == TAKEN

    def test_before_that_redis_is_waited_for(self, shop: Shop, daemon: Daemon, processor: RecordProcessor) -> None:
        assert shop.read(1) == 1
        driver: Any = processor._driver
        with shop.server.down():
            daemon.records(payload(shop.write(item_of(1, 2))))
            failing = shop.server.failing
        shop.server.failing, driver.awake = failing, lambda: setattr(shop.server, "failing", lambda command: None)
        assert daemon.send("shardEnded") == TAKEN
        assert driver.slept == [PAUSE]
        assert shop.read(1) == 2

    def test_where_redis_stays_away_the_end_of_the_shard_is_read_again(
        self, shop: Shop, daemon: Daemon, processor: RecordProcessor, caplog: pytest.LogCaptureFixture
    ) -> None:
        driver: Any = processor._driver
        with shop.server.down(), caplog.at_level(logging.ERROR, "daxlite"):
            daemon.records(payload(shop.write(item_of(1, 2))))
            assert daemon.send("shardEnded") == []
        assert len(driver.slept) == ATTEMPTS - 1
        assert "a shard has ended, and Redis could not be told of all of its changes" in caplog.text

    def test_a_place_that_is_refused_is_asked_for_again(self, shop: Shop, daemon: Daemon) -> None:
        answers: list[str | None] = ["ThrottlingException", None]
        daemon.refusing = lambda checkpoint: answers.pop(0)
        assert daemon.send("shardEnded") == ["ThrottlingException", "checkpoint"]

    def test_one_that_is_always_refused_is_an_error(self, daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
        daemon.refusing = lambda checkpoint: "ShutdownException"
        with caplog.at_level(logging.ERROR, "daxlite"):
            assert daemon.send("shardEnded") == ["ShutdownException"] * ATTEMPTS
        assert "the end of a shard could not be told" in caplog.text


class TestArguments:
    def test_a_cache_without_a_tier_would_change_nothing(self) -> None:
        with pytest.raises(ValueError, match="cache has no shared tier"):
            RecordProcessor(Cache())

    @pytest.mark.parametrize(("table", "wrong"), [("", TypeError), (7, TypeError), ("a table", ValueError)])
    def test_a_table_is_a_name_or_an_arn(self, shop: Shop, table: Any, wrong: type[Exception]) -> None:
        with pytest.raises(wrong, match="table is"):
            RecordProcessor(shop.feed, table=table)

    def test_the_region_of_a_table_must_be_known(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(NoRegionError):
            RecordProcessor(shop.feed, table=TABLE, session=boto3.Session())
        assert RecordProcessor(shop.feed, table=TABLE_ARN, session=boto3.Session()).stats() == {}

    def test_the_client_is_boto3s(self, shop: Shop) -> None:
        with pytest.raises(TypeError, match="client is an object"):
            RecordProcessor(shop.feed, client=object())


class TestRun:
    def test_without_the_library_it_says_what_is_missing(
        self, processor: RecordProcessor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("amazon_kclpy", "amazon_kclpy.kcl"):
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(FeedError, match="amazon_kclpy is not installed"):
            kcl.run(processor)

    def test_it_is_the_librarys_process(self, processor: RecordProcessor, monkeypatch: pytest.MonkeyPatch) -> None:
        ran = []

        class Process:
            def __init__(self, given: Any) -> None:
                self.given = given

            def run(self) -> None:
                ran.append(self.given)

        library = ModuleType("amazon_kclpy.kcl")
        library.KCLProcess = Process  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "amazon_kclpy", ModuleType("amazon_kclpy"))
        monkeypatch.setitem(sys.modules, "amazon_kclpy.kcl", library)
        kcl.run(processor)
        assert ran == [processor]
