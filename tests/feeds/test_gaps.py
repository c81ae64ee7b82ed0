"""Changes were lost: everything of the table goes, the gap is counted, and told once."""

from collections.abc import Callable
from typing import Any

import pytest

import daxlite
from daxlite.feeds.applying import Applier
from daxlite.feeds.following import Settings
from daxlite.shared.errors import Unavailable
from tests.feeds.driving import (
    AS_A_COMMAND,
    FROM_THE_END,
    SECOND_STREAM,
    WITH_CHECKPOINTS,
    FaultError,
    Street,
)

# Checkpoints of no use


def garbage(data: bytes) -> bytes:
    return b"\xc1"


def of_another_release(data: bytes) -> bytes:
    assert data[1] == 1
    return data[:1] + b"\x02" + data[2:]


@pytest.mark.parametrize("change", [garbage, of_another_release, None])
@pytest.mark.parametrize("settings", [WITH_CHECKPOINTS, FROM_THE_END])
def test_p6_a_checkpoint_of_no_use_costs_everything(
    street: Street, change: Callable[[bytes], bytes] | None, settings: Settings, warnings: Any
) -> None:
    street.follow(FROM_THE_END)
    street.die()
    street.write()
    if change is None:
        street.shop.server.evict(street.shop.server.keys("checkpoint")[0])
    else:
        street.replace_checkpoint(change)
    street.begin(settings)
    assert street.see() == street.versions
    if change is not None or settings.needs_checkpoint:
        assert (street.counts.gaps, len(warnings("a gap in"))) == (1, 1), "something was lost"


@pytest.mark.parametrize("settings", [WITH_CHECKPOINTS, FROM_THE_END])
def test_p6_a_checkpoint_that_cannot_be_read_is_a_gap(street: Street, settings: Settings, warnings: Any) -> None:
    street.follow(FROM_THE_END)
    street.die()
    street.write()
    with street.redis_down():
        street.begin(settings)
    street.run(3)
    assert street.see() == street.versions
    assert (street.counts.gaps, len(warnings("a gap in"))) == (1, 1), "a checkpoint is there, and was not used"


def test_a_follower_that_needs_redis_says_so(street: Street) -> None:
    with street.redis_down(), pytest.raises(Unavailable):
        street.begin(AS_A_COMMAND)
    with street.takes_no_writes(), pytest.raises(Unavailable):
        street.begin(AS_A_COMMAND)


def test_p6_a_checkpoint_of_another_stream_is_a_gap_and_the_new_one_is_read_from_its_beginning(
    street: Street, warnings: Any
) -> None:
    street.follow()
    street.die()
    street.disable()
    street.write_without_a_record(1)
    street.enable(SECOND_STREAM)
    street.write(2)
    street.begin()
    street.run(3)
    assert street.see() == street.versions
    assert street.counts.records == 1
    (said,) = warnings("the table has another stream")
    assert "of at most" in said


def test_p6_a_checkpoint_of_another_table_is_a_gap(street: Street, warnings: Any) -> None:
    street.follow()
    street.die()
    street.write_without_a_record(1)
    street.shop.made = 2.0
    street.begin()
    street.run(3)
    assert street.see() == street.versions
    assert street.counts.gaps == 1


# Gaps


def trimmed(street: Street) -> None:
    street.service.fail("GetRecords", "TrimmedDataAccessException")


def away(street: Street) -> None:
    street.clock.advance(25 * 3600)


def lost_shard(street: Street) -> None:
    (shard,) = street.service.open_shards()
    street.service.lose(shard)


def undecodable(street: Street) -> None:
    street.append({"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": {"S": "s3cret"}, "sk": {}}}})


def another_stream(street: Street) -> None:
    street.disable()
    street.enable(SECOND_STREAM)


@pytest.mark.parametrize("happens", [trimmed, away, lost_shard, undecodable, another_stream])
def test_p6_a_gap_drops_everything_once_and_begins_an_epoch(
    street: Street, happens: Callable[[Street], None], warnings: Any
) -> None:
    street.follow()
    before = street.announcement.epoch.id
    street.write_without_a_record(1)
    happens(street)
    street.run(300)
    assert street.see() == street.versions
    assert street.counts.gaps == 2
    assert street.announcement.epoch.id != before
    street.run(300)
    (_, said) = warnings("a gap in")
    assert "s3cret" not in said
    assert street.checkpoint is not None
    assert street.checkpoint.epoch == street.announcement.epoch.id


@pytest.mark.parametrize("happens", [trimmed, away, lost_shard, undecodable, another_stream])
def test_a_gap_is_logged_with_its_length(street: Street, happens: Callable[[Street], None], warnings: Any) -> None:
    street.follow()
    happens(street)
    street.run(300)
    (_, said) = warnings("a gap in")
    assert "of at most" in said


def test_p6_an_excuse_of_before_a_gap_is_not_believed(street: Street) -> None:
    street.follow()
    writer = daxlite.wrap(street.shop.raw, street.shop.process())
    street.write(1, writer)
    street.run(6)
    trimmed(street)
    street.write(1, writer)
    street.run(3)
    assert (street.counts.gaps, street.counts.echoes) == (2, 1), "that of before, and not the one after"


def test_records_that_cannot_be_read_are_one_gap(street: Street, warnings: Any) -> None:
    street.follow()
    for _ in range(100):
        undecodable(street)
    street.run(5)
    assert len(warnings("a gap in")) == 2, "one of the beginning, and one of these"


@pytest.mark.faults_expected
def test_p6_a_fault_of_daxlites_own_is_a_gap(street: Street, monkeypatch: pytest.MonkeyPatch, warnings: Any) -> None:
    street.follow()
    before = street.announcement.epoch.id
    with monkeypatch.context() as patch:

        def fail(applier: Any, raw: Any) -> Any:
            raise FaultError
            yield

        patch.setattr(Applier, "apply_raw", fail)
        street.write()
        street.run(3)
    assert street.see() == street.versions
    assert (street.counts.gaps, len(warnings("a fault in daxlite; what depended"))) == (2, 1)
    assert street.announcement.epoch.id != before
    street.write(2)
    street.run(3)
    assert street.see() == street.versions, "it goes on"
