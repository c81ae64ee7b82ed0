"""Streams that come and go under a feed, requests that fail, other followers, and what it says of itself."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from daxlite.feeds import StreamMissingError
from daxlite.feeds.following import Settings
from daxlite.follow.progress import behind, troubles
from tests.feeds.driving import (
    ANYWHERE,
    AS_A_COMMAND,
    DENIED,
    SECOND_STREAM,
    WITH_CHECKPOINTS,
    Street,
)

# Tables and streams that come and go


def test_a_stream_that_is_disabled_is_waited_for(street: Street, warnings: Any) -> None:
    street.follow()
    street.disable()
    street.write_without_a_record(1)
    street.run(120)
    assert isinstance(street.feed.error, StreamMissingError)
    assert street.see() == street.versions
    assert len(warnings("are not heard of any more")) == 1
    called = len(street.calls)
    street.run(60)
    assert len(street.calls) - called <= 13, "it looks every five seconds"
    street.enable(SECOND_STREAM)
    street.write(2)
    street.run(30)
    assert street.feed.error is None
    street.cache_all()
    street.write(3)
    street.run(3)
    assert street.see() == street.versions


@pytest.mark.parametrize("number", ANYWHERE)
def test_p6_a_change_is_heard_of_while_the_feed_moves_to_another_stream(street: Street, number: int) -> None:
    street.follow()
    first = street.steps

    def at_step(now: int) -> None:
        if now == first + number:
            street.write()
        street.see()

    street.at_step = at_step
    street.disable()
    street.enable(SECOND_STREAM)
    street.run(120)
    assert street.steps > first + number
    assert street.see() == street.versions


def test_a_command_ends_without_a_stream(street: Street) -> None:
    street.follow(AS_A_COMMAND)
    street.disable()
    street.write_without_a_record(1)
    street.run(120)
    assert street.is_over
    assert isinstance(street.feed.error, StreamMissingError)
    assert street.see() == street.versions


@pytest.mark.parametrize("settings", [WITH_CHECKPOINTS, AS_A_COMMAND])
def test_a_stream_that_goes_while_a_follower_begins_is_missing(street: Street, settings: Settings) -> None:
    street.service.remove()

    def at_step(now: int) -> None:
        if street.calls[-1:] == ["DescribeStream"]:
            street.shop.view = None

    street.at_step = at_step
    with pytest.raises(StreamMissingError):
        street.begin(settings)


def test_p6_a_table_made_anew_with_the_same_stream_is_a_gap(street: Street) -> None:
    """Some servers name streams by their tables alone."""
    street.follow()
    street.shop.made = 2.0
    street.write_without_a_record(1)
    street.run(120)
    assert street.see() == street.versions
    assert street.counts.gaps == 2


def test_a_stream_that_was_not_found_by_mistake_goes_on(street: Street) -> None:
    street.follow()
    street.clock.advance(61)
    street.service.fail("DescribeStream", "ResourceNotFoundException")
    street.write()
    street.run(20)
    assert street.see() == street.versions
    assert street.counts.gaps == 1


def test_p6_a_stream_that_is_gone_is_known_to_be_although_the_table_cannot_be_described(street: Street) -> None:
    street.follow()
    street.service.remove()
    street.errors["DescribeTable"] = DENIED
    street.write_without_a_record(1)
    street.run(600)
    assert street.feed.error is not None, "nothing is heard of"


# Requests that fail


def test_changes_are_heard_of_while_the_table_cannot_be_described(street: Street, warnings: Any) -> None:
    street.follow()
    street.errors["DescribeTable"] = DENIED
    street.run(600)
    street.write()
    street.run(3)
    assert street.see() == street.versions
    assert len(warnings("DescribeTable of")) == 1
    assert 9 <= street.counts.failures <= 11


def test_it_is_said_that_the_table_can_be_described_again(street: Street, warnings: Any) -> None:
    street.follow()
    for _ in range(2):
        street.errors["DescribeTable"] = DENIED
        street.run(120)
        street.errors.clear()
        street.run(120)
    assert len(warnings("DescribeTable of Orders works again")) == 2


def test_a_throttled_description_is_counted_as_one(street: Street) -> None:
    street.follow()
    street.errors["DescribeTable"] = ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "a call")
    street.run(120)
    assert street.counts.throttled >= 1
    assert street.counts.failures == 0


def test_reads_that_are_refused_are_an_error(street: Street) -> None:
    """As with credentials that have expired."""
    street.follow()
    street.errors["GetRecords"] = DENIED
    street.run(600)
    assert street.feed.error is not None, "nothing is heard of"


def test_reads_that_are_throttled_for_minutes_are_few_and_lose_nothing(street: Street, warnings: Any) -> None:
    street.follow()
    street.service.fail("GetRecords", "ProvisionedThroughputExceededException", 20)
    street.write()
    called = len(street.calls)
    street.run(300)
    assert len(street.calls) - called < 60
    street.run(600)
    assert street.see() == street.versions
    assert street.counts.gaps == 1
    assert len(warnings("GetRecords of")) == 2, "that it fails, and that it works again"


def test_a_shard_that_is_throttled_now_and_then_does_not_fill_the_log(street: Street, warnings: Any) -> None:
    (shard,) = street.service.open_shards()
    street.service.split(shard)
    street.follow()
    for _ in range(100):
        street.service.fail("GetRecords", "ProvisionedThroughputExceededException")
        street.run(5)
    assert len(warnings("GetRecords of")) < 20


@pytest.mark.parametrize(
    "records", [None, [None], [{}], [{"dynamodb": {"Keys": None}}], [{"dynamodb": 3}], ["s3cret"], [[]]]
)
def test_p6_replies_with_odd_records_are_gaps_or_nothing(
    street: Street, records: Any, caplog: pytest.LogCaptureFixture
) -> None:
    street.follow()
    street.write_without_a_record(1)
    street.reply = {"Records": records}
    street.run(5)
    assert street.reply is None
    street.run(10)
    if records:
        assert street.see() == street.versions
        assert street.counts.gaps == 2
    assert "s3cret" not in caplog.text
    street.write(2)
    street.run(5)
    assert street.see(2) == {2: street.versions[2]}


# Two followers


def test_a_rival_is_warned_of_once(street: Street, warnings: Any) -> None:
    street.follow()
    rival = replace(street.announcement, id=b"r" * 16)
    for _ in range(20):
        street.stand_in_for(rival)
        street.run(16)
    assert len(warnings("another follower reads the stream of Orders")) == 1
    street.write()
    street.run(3)
    assert street.see() == street.versions


def test_a_follower_that_takes_the_place_of_another_one_does_not_warn(street: Street, warnings: Any) -> None:
    street.follow()
    street.die()
    street.begin()
    street.run(60)
    assert not warnings("another follower")


# How far it is


@pytest.mark.parametrize("poll", [1.0, 10.0, 60.0])
def test_an_idle_table_is_healthy_however_seldom_it_is_read(street: Street, poll: float) -> None:
    street.begin(replace(WITH_CHECKPOINTS, poll=poll))
    for _ in range(60):
        street.run(60)
        seconds = behind({"Orders": street.counts.snapshot()}, street.clock.now())
        assert troubles(seconds, poll=poll, pending=0.0) == []


def test_a_table_of_which_nothing_is_read_is_not_healthy(street: Street) -> None:
    street.follow()
    street.errors["GetRecords"] = DENIED
    street.run(120)
    seconds = behind({"Orders": street.counts.snapshot()}, street.clock.now())
    assert troubles(seconds, poll=1.0, pending=0.0)
