"""Shards that are not listed, or not found: for a moment, or for good."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daxlite.feeds.streams.progress import MISSING
from tests.feeds.streams.conftest import Follow
from tests.feeds.streams.service import StreamService

MakeService = Callable[..., StreamService]


def test_a_shard_that_is_missing_before_it_was_listed_is_a_gap(make_service: MakeService, follow: Follow) -> None:
    """Its child tells that it was there."""
    service = make_service(may_filter=False)
    (first,) = service.open_shards()
    driver = follow(service)
    (second,) = service.split(first, 1)
    service.write(second)
    (third,) = service.split(second, 1)
    service.write(third)
    service.lose(second)
    driver.run(30.0)
    assert [gap.reason for gap in driver.gaps] == [MISSING]
    assert driver.told(third.id) == 1


def test_a_shard_that_listings_leave_out_is_not_missing_while_it_can_be_read(
    make_service: MakeService, follow: Follow
) -> None:
    service = make_service(roots=2)
    driver = follow(service)
    service.hide(service.open_shards()[0], 10)
    driver.run(900.0)
    assert not driver.gaps


def test_a_shard_that_was_missing_is_read_when_it_is_back(service: StreamService, follow: Follow) -> None:
    (shard,) = service.open_shards()
    driver = follow(service)
    service.lose(shard)
    driver.run(30.0)
    driver.restart()
    service.shards[shard.id] = shard
    service.write(shard)
    driver.caught_up(seconds=90.0)
    assert driver.told(shard.id) == 1


def test_a_follower_that_was_told_that_all_shards_are_missing_begins_when_it_is_restarted(
    service: StreamService, follow: Follow
) -> None:
    """Its checkpoint has no positions, and is one all the same."""
    (shard,) = service.open_shards()
    driver = follow(service)
    service.lose(shard)
    driver.run(30.0)
    assert driver.saved is not None
    assert driver.saved[0] == {}
    driver.restart()
    assert driver.run(30.0, lambda: driver.reader.has_begun)


def test_what_a_missing_shard_took_before_it_was_closed_is_a_gap(make_service: MakeService, follow: Follow) -> None:
    """It is told to be missing while it is open, takes records, and is closed: its child comes, and it does not."""
    service = make_service(may_filter=False)
    (shard,) = service.open_shards()
    driver = follow(service)
    service.lose(shard)
    driver.run(20.0)
    assert len(driver.gaps) == 1
    service.shards[shard.id] = shard
    service.hide(shard, 10**9)
    service.write(shard)
    (child,) = service.split(shard, 1)
    service.write(child)
    driver.run(120.0)
    assert driver.told(child.id) == 1
    assert [gap.reason for gap in driver.gaps] == [MISSING, MISSING]


@pytest.mark.parametrize("operations", [("GetRecords",), ("GetRecords", "GetShardIterator")])
def test_a_shard_that_cannot_be_read_is_a_gap_though_it_is_listed(
    service: StreamService, follow: Follow, operations: tuple[str, ...]
) -> None:
    (shard,) = service.open_shards()
    driver = follow(service)
    service.write(shard)
    for operation in operations:
        service.fail(operation, "ResourceNotFoundException", 5)
    driver.run(20.0)
    assert [gap.reason for gap in driver.gaps] == [MISSING]


def test_a_request_that_does_not_find_a_shard_is_no_gap(service: StreamService, follow: Follow) -> None:
    (shard,) = service.open_shards()
    driver = follow(service)
    service.write(shard)
    service.fail("GetRecords", "ResourceNotFoundException", 2)
    driver.caught_up(seconds=30.0)
    assert driver.told(shard.id) == 1
    assert not driver.gaps
