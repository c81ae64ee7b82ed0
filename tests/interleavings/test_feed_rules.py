"""The rules of feeds at the shared tier (P6), one by one: for each a history that leaves something stale without it.

Other programs write the table, a follower in the second process reads its stream, and writers excuse the records of
their own writes. `tests/removals/feeds.txt` takes each rule out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interleavings.feed import Feed
from tests.interleavings.interleaving import SETTLE_WINDOW
from tests.interleavings.processes import FOLLOWER
from tests.interleavings.programs import TABLE, Op
from tests.interleavings.test_tier_rules import BY_DAY, GET, GET_PART, KEY, QUERY, Histories, item, put
from tests.simulator import faults

MON: dict[str, Any] = {"day": {"S": "mon"}}
TUE: dict[str, Any] = {"day": {"S": "tue"}}


def update(n: int, effect: faults.Effect | None = None) -> Op:
    """An update of which the writer learns the new image alone, and that it left the item where it lies in indexes."""
    values = {":n": {"N": str(n)}}
    request = {"Key": KEY, "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": values}
    return Op("UpdateItem", {"TableName": TABLE, **request}, effect)


class WithFeed(Histories):
    """Histories with a follower in the second process."""

    def follow(self, view: str = "NEW_AND_OLD_IMAGES", *, is_ordered: bool = True) -> Feed:
        self.feed = Feed(self.world, view, is_ordered=is_ordered)
        self.feed.move(self.world.processes[1])
        self.feed.announce()
        self.world.end_feed = self.feed.end
        return self.feed

    def others_write(self, n: int, **more: Any) -> None:
        self.world.put_outside(item(n, **more))

    def lose_item(self) -> None:
        """Redis loses the whole item."""
        world, tag = self.world, self.world.tag_of(KEY)
        tier = world.processes[0].tier
        (table,) = tier._tables.values()
        world.redis.evict(tier.value_key(table, tag, "item", b"")[0])

    def settle(self) -> None:
        """What was read after the last change may be kept for its full TTL."""
        self.pass_time(SETTLE_WINDOW)
        self.hear()


@pytest.fixture(scope="module")
def histories() -> Iterator[WithFeed]:
    made = WithFeed()
    yield made
    made.world.close()


@pytest.fixture
def of(histories: WithFeed) -> Iterator[WithFeed]:
    histories.begin()
    histories.follow()
    yield histories
    histories.end()


def test_p6_what_another_program_wrote_shows_once_the_feed_told_of_it(of: WithFeed) -> None:
    of.warm(0, GET, QUERY, BY_DAY)
    of.others_write(1, **TUE)
    of.feed.read()
    of.hear()
    response = of.call(0, GET).response
    assert response is not None
    assert response["Item"]["n"] == {"N": "1"}
    of.judge()


def test_echo_an_own_write_costs_no_read(of: WithFeed) -> None:
    of.warm(0, GET, QUERY)
    of.call(0, put(1, **MON))
    of.call(0, update(2))
    of.call(0, Op("DeleteItem", {"TableName": TABLE, "Key": KEY}))
    of.call(0, put(3))
    of.settle()
    of.call(0, QUERY)
    of.feed.read(10)
    of.hear()
    assert (of.feed.counts.echoes, of.feed.counts.applied) == (4, 0)
    sent = len(of.world.simulator.history.calls)
    of.call(0, GET)
    of.call(0, QUERY)
    assert len(of.world.simulator.history.calls) == sent, "an echo dropped something"
    of.judge()


def test_echo_each_writer_excuses_its_own(of: WithFeed) -> None:
    for process in (0, 1, 0, 1):
        of.call(process, update(process + 5))
        of.hear()
    of.feed.read(10)
    assert of.feed.counts.echoes == 4
    of.judge()


def test_echo_a_record_that_matches_none_ends_all_excuses(of: WithFeed) -> None:
    of.call(0, update(0))  # it leaves the item as it was: there will be no record of it
    of.others_write(1, **MON)
    of.feed.read()
    of.settle()
    of.warm(0, GET)
    of.others_write(0, **MON)
    of.feed.read()
    of.judge()


def test_echo_excuses_before_the_one_that_matches_end(of: WithFeed) -> None:
    of.call(0, update(0))  # as above
    of.call(0, update(1))
    of.feed.read()
    of.settle()
    of.warm(0, GET)
    of.others_write(0, **MON)
    of.feed.read()
    of.judge()


def test_echo_a_record_bumps_no_more_than_its_excuse_covers(of: WithFeed) -> None:
    of.warm(1, BY_DAY)  # it is on Monday
    of.others_write(1, **TUE)
    of.call(0, update(1))  # it finds the item as it leaves it, on Tuesday
    of.feed.read()
    of.judge()


def test_echo_a_gap_ends_all_excuses(of: WithFeed) -> None:
    of.call(0, update(1))
    of.others_write(2, **MON)
    of.feed.lose(2)
    of.feed.announce()
    of.settle()
    of.warm(0, GET)
    of.others_write(1, **MON)
    of.feed.read()
    of.judge()


def test_echo_a_writer_leaves_no_excuse_once_its_record_was_heard(of: WithFeed) -> None:
    writer = of.start(0, update(1), until="applied")
    of.others_write(2, **MON)
    of.feed.read(2)
    of.go(writer)
    of.settle()
    of.warm(1, GET)
    of.others_write(1, **MON)
    of.feed.read()
    of.judge()


def test_echo_a_writer_that_ends_while_its_record_is_taken_leaves_no_excuse(of: WithFeed) -> None:
    writer = of.start(0, update(1), until="applied")
    of.others_write(2, **MON)
    of.scheduler.spawn(FOLLOWER, of.feed.read, 2)
    of.go(FOLLOWER, until="told by Redis")  # it has seen no excuse
    of.go(writer)
    of.go(FOLLOWER)
    of.settle()
    of.warm(1, GET)
    of.others_write(1, **MON)
    of.feed.read()
    of.judge()


def test_echo_a_write_that_began_in_another_epoch_leaves_no_excuse(of: WithFeed) -> None:
    writer = of.start(0, update(1), until="applied")  # its reply is slow
    of.others_write(2, **MON)
    of.feed.lose(2)
    of.feed.announce()
    of.pass_time(6.0)
    other = {**KEY, "sk": {"S": "77"}}
    of.call(0, Op("DeleteItem", {"TableName": TABLE, "Key": other}))  # by this one the process learns of the epoch
    of.go(writer)
    of.settle()
    of.warm(0, GET)
    of.others_write(1, **MON)
    of.feed.read(10)
    of.judge()


def test_echo_a_write_of_unknown_outcome_leaves_no_excuse(of: WithFeed) -> None:
    of.call(0, update(1, faults.SERVER_ERROR_BEFORE))  # it was not applied
    of.settle()
    of.pass_time(30.0)
    of.hear()
    of.warm(0, GET)
    of.others_write(1, **MON)
    of.feed.read()
    of.judge()


def test_echo_without_old_images_who_knows_no_old_image_leaves_no_excuse(of: WithFeed) -> None:
    of.follow("NEW_IMAGE")
    of.warm(1, BY_DAY)
    of.others_write(1, **TUE)
    of.call(0, update(1))  # there will be no record of it
    of.feed.read()
    of.judge()


def test_echo_without_old_images_a_write_that_changed_nothing_leaves_no_excuse(of: WithFeed) -> None:
    of.follow("NEW_IMAGE")
    of.warm(1, BY_DAY)
    of.others_write(1, **TUE)
    of.call(0, put(1, **TUE))
    of.feed.read()
    of.judge()


def test_echo_without_old_images_own_writes_are_excused(of: WithFeed) -> None:
    of.follow("NEW_IMAGE")
    of.call(0, put(1, **TUE))
    of.call(0, put(2, **MON))
    of.feed.read(2)
    assert of.feed.counts.echoes == 2
    of.judge()


def test_echo_without_order_none_is_excused(of: WithFeed) -> None:
    of.follow(is_ordered=False)
    of.call(0, put(1, **MON))
    of.feed.read()
    assert of.feed.counts.applied == 1
    of.judge()


def test_echo_no_more_than_eight_are_kept(of: WithFeed) -> None:
    for n in range(1, 12):
        of.call(0, update(n))
    of.feed.read(20)
    assert (of.feed.counts.echoes, of.feed.counts.applied) == (8, 3)
    of.judge()


def test_spare_an_item_that_is_stored_as_the_record_shows_it_stays(of: WithFeed) -> None:
    of.others_write(1, **MON)
    of.settle()
    of.warm(0, GET)
    of.feed.read()
    of.hear()
    sent = len(of.world.simulator.history.calls)
    of.call(0, GET)
    assert len(of.world.simulator.history.calls) == sent, "the tier has lost the item"
    of.judge()


def test_spare_pages_and_projections_go_all_the_same(of: WithFeed) -> None:
    of.warm(0, QUERY, GET_PART, BY_DAY)
    of.others_write(1, **TUE)
    of.settle()
    of.call(1, GET)
    of.feed.read()
    of.lose_item()
    of.judge()


def test_spare_an_item_that_changed_since_does_not_stay(of: WithFeed) -> None:
    of.others_write(1, **MON)
    of.warm(0, GET)
    of.others_write(2, **MON)
    of.feed.read()
    of.feed.read()
    of.judge()


def test_late_a_record_leaves_the_record_of_a_write_open(of: WithFeed) -> None:
    of.others_write(1, **MON)
    writer = of.start(0, update(2), until="sent")
    of.feed.read()
    of.call(1, GET)
    of.go(writer, until="applied")
    of.kill(0, writer)
    of.feed.taken = len(of.feed.records)  # and no record of it is heard of
    of.judge(has_lost_pages=True)


def test_late_a_write_that_a_record_overlaps_keeps_nothing(of: WithFeed) -> None:
    writer = of.start(0, update(1), until="applied")
    of.others_write(2, **MON)
    of.feed.read(2)
    of.go(writer)
    of.judge()


def test_late_no_record_makes_a_reader_see_an_older_state(of: WithFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    of.others_write(1, **MON)
    of.others_write(2, **MON)
    with monkeypatch.context() as patch:
        patch.setattr(of.world.simulator.replicas, "choose", lambda call, ticks: ticks[-1])
        of.call(0, GET)  # others lag
    of.feed.read()
    of.hear()
    response = of.call(0, GET).response
    assert response is not None
    assert response["Item"]["n"] == {"N": "2"}
    of.judge()


def test_gap_everything_of_the_table_is_dropped(of: WithFeed) -> None:
    of.warm(0, GET, QUERY, BY_DAY)
    of.others_write(1, **TUE)
    of.feed.lose(1)
    of.judge()
