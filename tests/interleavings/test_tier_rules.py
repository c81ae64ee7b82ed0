"""The rules of the shared tier, one by one: for each a history that breaks a promise without it.

`docs/shared.md` says what the tier promises; `tests/removals/shared.txt` takes each of them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.shared.scripts import begin, begins
from daxlite.shared.tags import EVERYTHING
from tests.interleavings.interleaving import LAG, SETTLE_WINDOW
from tests.interleavings.process_oracle import judge
from tests.interleavings.processes import ATTEMPT, LASTS, LATE, RETRIED_LATE, Killed, Processes, SharedEvent
from tests.interleavings.programs import INDEX, KEYS, TABLE, Op, item_reads, page_reads
from tests.simulator import Scheduler, faults
from tests.simulator.history import Call

KEY = KEYS[0]
GET, GET_PART = item_reads[0], item_reads[2]
QUERY = page_reads[0]
SCAN = next(op for op in page_reads if op.operation == "Scan")
BY_DAY = next(op for op in page_reads if op.request.get("IndexName") == INDEX and op.operation == "Query")


def item(n: int, **more: Any) -> dict[str, Any]:
    return {**KEY, "n": {"N": str(n)}, **more}


def put(n: int, effect: faults.Effect | None = None, **more: Any) -> Op:
    return Op("PutItem", {"TableName": TABLE, "Item": item(n, **more)}, effect)


class Histories:
    """Histories that a test orders step by step. Replicas show the oldest that they may."""

    def __init__(self) -> None:
        self.world = Processes()

    def begin(self, *shared: dict[str, Any], **config: Any) -> None:
        """Two processes, or one for each of these settings of its tier."""
        self.world.reset([item(0, day={"S": "mon"})], shared or ({}, {}), **config)
        self.world.scheduler = self.scheduler = Scheduler(
            self.world.simulator.clock, points=("sent", "applied", "replied")
        )
        for each in self.world.processes:
            each.cache._memory._state.new_latch = self.scheduler.event  # type: ignore[assignment]

    def end(self) -> None:
        self.scheduler.end()
        self.world.scheduler = None

    def call(self, process: int, op: Op) -> SharedEvent:
        """A call from its beginning to its end, with nothing in between."""
        return self.world.call(self.world.processes[process], f"p{process}", op)

    def warm(self, process: int, *reads: Op) -> None:
        """Have Redis, and a process, keep the answers to these reads for their full TTL."""
        for _ in range(2):  # the first one is on probation
            for op in reads:
                self.call(process, op)
            self.pass_time(SETTLE_WINDOW)
            self.hear(process)

    def start(self, process: int, op: Op, until: str, name: str = "") -> str:
        """A call in a thread, until it comes to a point. Returns the thread's name."""
        name = f"p{process} {name or op.operation}"

        def work() -> None:
            with suppress(Killed):
                self.world.call(self.world.processes[process], name, op)

        self.scheduler.spawn(name, work)
        self.go(name, until)
        return name

    def go(self, name: str, until: str = "end") -> None:
        """Let a thread go on to a point."""
        where = self.scheduler.step(name)
        while where != until:
            assert where != "end", f"{name} does not come to {until!r}: {self.scheduler.trace}"
            where = self.scheduler.step(name)

    def kill(self, process: int, *threads: str) -> None:
        """End a process, with these threads of it."""
        self.world.kill(self.world.processes[process])
        for name in threads:
            while self.scheduler.step(name) != "end":
                pass

    def hear(self, *processes: int) -> None:
        """Let these processes hear what there is to hear; all unless some are named."""
        for each in processes or range(len(self.world.processes)):
            self.world.processes[each].catch_up()

    def lose_states(self, *tags: bytes) -> None:
        """Redis loses the states of these tags; all unless some are named."""
        tier = self.world.processes[0].tier
        for key in [tier.keyspace.state(tag) for tag in tags] or self.world.redis.keys(":state"):
            self.world.redis.evict(key)

    @property
    def generation(self) -> bytes:
        """The tag of the table's generation."""
        (table,) = self.world.processes[0].tier._tables.values()
        return table.generations[1]

    def begin_a_change_of(self, tag: bytes) -> None:
        """Another process begins a change that no partition can name."""
        (begun,) = begins(b"S" * 16, {tag: EVERY_EXTENT}, frozenset(), is_cluster=False)
        here = self.world.processes[0]
        here.way.run([begin(here.tier.keyspace, begun, LASTS, 600.0)])

    def apply(self, n: int) -> None:
        """DynamoDB applies what that process asked for."""
        call = Call(-1, "PutItem", {"TableName": TABLE, "Item": item(n)}, "statement")
        self.world.simulator._apply(call, faults.NO_FAULT)

    def pass_time(self, seconds: float) -> None:
        self.world.simulator.clock.advance(seconds)

    def judge(self, **options: Any) -> None:
        self.end()
        judge(self.world, **options)


@pytest.fixture(scope="module")
def histories() -> Iterator[Histories]:
    made = Histories()
    yield made
    made.world.close()


@pytest.fixture
def of(histories: Histories) -> Iterator[Histories]:
    histories.begin()
    yield histories
    histories.end()


def test_early_a_writer_that_dies_before_it_tells_leaves_nothing_stale(of: Histories) -> None:
    of.warm(1, GET, QUERY)
    writer = of.start(0, put(1), until="applied")
    of.kill(0, writer)
    of.judge()


def test_open_what_is_read_under_an_open_record_is_not_kept(of: Histories) -> None:
    writer = of.start(0, put(1), until="sent")
    of.hear(1)
    of.call(1, GET)
    of.call(1, QUERY)
    of.go(writer, until="applied")
    of.kill(0, writer)
    of.judge()


def test_own_one_writer_does_not_close_the_record_of_another(of: Histories) -> None:
    first = of.start(0, put(1), until="sent")
    of.call(1, put(2))
    of.call(1, GET)
    of.go(first, until="applied")
    of.kill(0, first)
    of.judge()


def test_lease_a_page_is_not_served_after_a_change_of_what_it_covers(of: Histories) -> None:
    of.warm(1, QUERY)
    of.call(0, put(1))
    of.hear(1)
    of.call(1, QUERY)
    of.judge()


def test_lease_a_page_is_not_served_under_a_state_that_was_made_anew(of: Histories) -> None:
    of.warm(1, QUERY)
    of.call(0, put(1))
    of.hear(1)
    of.lose_states()
    reader = of.start(0, QUERY, until="sent")  # it has made a state
    of.call(1, QUERY)
    of.go(reader)
    of.judge()


def test_alone_a_writer_keeps_nothing_if_another_one_had_begun(of: Histories) -> None:
    first = of.start(0, put(1), until="sent")
    second = of.start(1, put(2), until="applied")
    of.go(first, until="applied")
    of.go(second)
    of.kill(0, first)
    of.judge()


def test_alone_a_writer_keeps_nothing_if_another_one_has_begun_since(of: Histories) -> None:
    first = of.start(0, put(1), until="applied")
    second = of.start(1, put(2), until="applied")
    of.go(first)
    of.kill(1, second)
    of.judge()


def test_late_a_record_outlives_its_request(of: Histories) -> None:
    writer = of.start(0, put(1), until="sent")
    of.hear(1)
    of.kill(0, writer)
    of.pass_time(ATTEMPT - 1)
    of.hear(1)
    of.call(1, GET)
    of.pass_time(1)
    of.world.settle_ghost(0, is_applied=True)
    of.hear(1)
    of.call(1, GET)
    of.judge()


def test_leave_a_write_that_timed_out_may_be_applied_yet(of: Histories) -> None:
    of.call(0, put(1, LATE))
    of.hear(1)
    of.call(1, GET)
    of.world.settle_ghost(0, is_applied=True)
    of.judge()


def test_leave_the_first_attempt_of_a_write_that_succeeded_may_be_applied_yet(of: Histories) -> None:
    of.call(0, put(1, RETRIED_LATE))
    of.call(1, put(2))
    of.call(1, GET)
    of.world.settle_ghost(0, is_applied=True)
    of.judge()


def test_since_a_request_may_take_longer_than_the_window(of: Histories) -> None:
    writer = of.start(0, put(1), until="sent")
    of.pass_time(SETTLE_WINDOW + 1)
    of.go(writer)
    of.hear(1)
    of.call(1, QUERY)
    of.judge()


def test_strong_what_has_just_changed_is_read_strongly(of: Histories) -> None:
    of.call(0, put(1))
    of.hear(1)
    of.call(1, QUERY)
    of.judge()


def test_strong_under_an_open_record_too(of: Histories) -> None:
    of.call(0, put(1))
    of.hear(1)
    of.start(0, put(2), until="sent")
    of.hear(1)
    of.call(1, QUERY)
    of.judge()


def test_tick_a_message_drops_what_was_read(of: Histories) -> None:
    for read in (GET, GET_PART, QUERY):
        of.call(1, read)
    of.call(0, put(1))
    of.hear(1)
    for read in (GET, GET_PART, QUERY):
        of.call(1, read)
    of.judge()


def test_tick_a_message_drops_what_was_written_here(of: Histories) -> None:
    of.call(1, put(1))
    of.call(0, put(2))
    of.hear(1)
    of.call(1, GET)
    of.judge()


def test_tick_what_was_found_is_not_kept_if_a_message_came_meanwhile(of: Histories) -> None:
    of.warm(0, GET)
    of.call(1, QUERY)
    reader = of.start(1, GET, until="told by Redis")
    of.call(0, put(1))
    of.hear(1)
    of.go(reader)
    of.call(1, GET)
    of.judge()


def test_tick_what_redis_did_not_store_is_not_kept_here(of: Histories) -> None:
    reader = of.start(1, QUERY, until="replied")
    of.call(0, put(1))
    of.go(reader)
    of.hear(1)
    of.call(1, QUERY)
    of.judge()


def test_retell_a_writer_whose_record_is_lost_makes_a_new_top(of: Histories) -> None:
    writer = of.start(0, put(1), until="sent")
    of.hear(1)
    of.lose_states()
    of.call(1, GET)
    of.call(1, QUERY)
    of.go(writer)
    of.hear(1)
    of.judge()


def test_retell_a_writer_whose_record_is_lost_tells_again(of: Histories) -> None:
    writer = of.start(0, put(1), until="sent")
    of.hear(1)
    of.lose_states()
    of.call(1, GET)
    of.call(1, QUERY)
    of.go(writer)
    of.hear(1)
    of.call(1, GET)
    of.call(1, QUERY)
    of.judge()


def test_heard_under_a_young_state_who_heard_of_a_change_reads_strongly(of: Histories) -> None:
    of.call(0, put(1))
    of.hear(1)
    of.lose_states()
    of.call(1, GET)
    of.judge()


def test_heard_who_heard_of_a_change_takes_no_value_on_probation(histories: Histories) -> None:
    histories.begin({}, {}, {})
    histories.call(0, put(1))
    histories.hear(1)
    histories.lose_states()
    histories.call(2, GET)
    histories.call(1, GET)
    histories.judge()


def test_heard_who_cannot_ask_redis_reads_strongly_too(of: Histories) -> None:
    writer = of.start(0, put(1), until="sent")
    of.hear(1)
    of.pass_time(SETTLE_WINDOW + 1)
    of.go(writer)
    of.world.processes[1].way.is_cut = True
    of.call(1, GET)
    of.call(1, QUERY)
    of.judge()


def test_probation_what_was_read_weakly_under_a_young_state_lives_for_a_window(of: Histories) -> None:
    of.call(0, put(1))
    of.lose_states()
    old = of.call(1, GET)
    assert old.response is not None
    assert old.response["Item"] == item(0, day={"S": "mon"}), "the replica was to lag, and the process had not heard"
    of.judge()


def test_epoch_who_renews_its_subscription_drops_what_it_keeps(of: Histories) -> None:
    of.warm(1, GET)
    of.world.redis.cut()
    of.call(0, put(1))
    of.hear(1)
    of.call(1, GET)
    of.judge()


def test_epoch_who_renews_its_subscription_keeps_nothing_that_it_is_reading(of: Histories) -> None:
    of.warm(0, GET)
    of.call(1, QUERY)
    reader = of.start(1, GET, until="told by Redis")
    of.world.redis.cut()
    of.call(0, put(1))
    of.hear(1)
    of.go(reader)
    of.call(1, GET)
    of.judge()


@pytest.mark.parametrize("hears_first", [True, False], ids=["its ear first", "a command first"])
def test_again_what_a_new_primary_has_forgotten_is_told_once_more(of: Histories, *, hears_first: bool) -> None:
    of.warm(0, GET, QUERY)
    of.warm(1, GET, QUERY)
    of.call(0, put(1))
    of.hear(1)
    of.world.fail_over(4)  # begin, a note, finish, and what bumps the index
    if hears_first:
        of.hear(1)
    of.call(1, GET)
    of.call(1, QUERY)
    of.judge()


def test_age_a_page_of_an_index_that_settles_is_kept_by_its_age(of: Histories) -> None:
    of.call(0, put(1, day={"S": "tue"}))
    of.hear(1)
    of.pass_time(LAG / 2)
    old = of.call(1, BY_DAY)
    assert old.response is not None
    assert old.response["Items"], "the index was to lag"
    of.hear(1)
    of.pass_time(SETTLE_WINDOW)
    of.hear(1)
    of.call(1, BY_DAY)
    of.judge()


def test_age_a_young_state_of_an_index_counts_as_changed(of: Histories) -> None:
    of.call(0, put(1, day={"S": "tue"}))
    of.hear(1)
    of.lose_states()
    of.pass_time(LAG / 2)
    of.call(1, BY_DAY)
    of.pass_time(SETTLE_WINDOW)
    of.hear(1)
    of.call(1, BY_DAY)
    of.judge()


def test_a_follower_of_a_projection_gets_the_projection_where_the_whole_item_was_found(of: Histories) -> None:
    of.call(0, GET)
    leader = of.start(1, GET_PART, until="told by Redis", name="leader")
    follower = of.start(1, GET_PART, until="wait", name="follower")
    of.go(leader)
    of.go(follower)
    assert of.world.events[-1].response == of.world.events[-2].response
    of.judge()


def test_tick_a_batch_that_goes_on_alone_asks_the_tier_first(of: Histories) -> None:
    leader = of.start(1, Op("GetItem", GET.request, faults.THROTTLED), until="sent", name="leader")
    follower = of.start(
        1, Op("BatchGetItem", {"RequestItems": {TABLE: {"Keys": [KEY]}}}), until="wait", name="follower"
    )
    writer = of.start(0, put(1), until="sent")
    of.hear(1)
    of.go(leader)
    of.go(follower)
    of.go(writer)
    of.judge()


def test_alone_a_process_that_does_not_read_keeps_nothing_of_a_write_that_another_one_overlapped(
    histories: Histories,
) -> None:
    histories.begin({}, {"reads": False})
    other = histories.start(0, put(2), until="sent")
    histories.hear(1)
    histories.call(1, put(1))
    histories.go(other)
    histories.judge()


@pytest.mark.parametrize("what", ["the table", "everything"])
@pytest.mark.parametrize("read", [GET, QUERY], ids=["item", "page"])
def test_open_a_process_that_does_not_read_keeps_nothing_while_anything_may_change(
    histories: Histories, what: str, read: Op
) -> None:
    histories.begin({}, {"reads": False})
    histories.call(1, read)
    histories.pass_time(LASTS)
    histories.hear(1)
    histories.begin_a_change_of(histories.generation if what == "the table" else EVERYTHING)
    histories.hear(1)
    histories.pass_time(SETTLE_WINDOW)
    histories.hear(1)
    histories.call(1, read)
    histories.apply(1)
    histories.judge()


def test_open_a_scan_is_not_kept_while_everything_may_change(of: Histories) -> None:
    of.call(1, SCAN)
    of.pass_time(LASTS)
    of.hear(1)
    of.begin_a_change_of(EVERYTHING)
    of.hear(1)
    of.pass_time(SETTLE_WINDOW)
    of.hear(1)
    of.call(1, SCAN)
    of.apply(1)
    of.judge()


@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "unheard"])
def test_strong_while_anything_may_change_too(histories: Histories, *, is_heard: bool) -> None:
    histories.begin({}, {"local": is_heard})
    histories.begin_a_change_of(histories.generation)
    if is_heard:
        histories.hear(1)
    histories.pass_time(SETTLE_WINDOW)
    histories.call(0, put(1))
    if is_heard:
        histories.hear(1)
    answer = histories.call(1, GET)
    assert answer.response is not None
    assert answer.response["Item"] == item(1)
    histories.judge()


def test_age_a_young_generation_counts_as_changed_for_an_index(of: Histories) -> None:
    of.warm(0, BY_DAY)
    of.pass_time(SETTLE_WINDOW)
    of.hear(0)
    of.apply(1)
    of.world.processes[0].cache.invalidate(TABLE)
    of.lose_states(of.generation)
    of.pass_time(LAG / 2)
    of.world.processes[1].tier.renew()  # it knows no generation, and remembers no change
    of.call(1, BY_DAY)
    of.judge()


def test_leave_a_scan_is_not_kept_while_an_own_write_may_be_applied_yet(of: Histories) -> None:
    of.call(0, SCAN)
    of.pass_time(LASTS)
    of.hear(0)
    of.call(0, put(1, LATE))
    of.pass_time(SETTLE_WINDOW + 1)
    of.hear(0)
    of.call(0, SCAN)
    assert of.world.hits(of.world.processes[0], [SCAN], is_local=True) == [None]
    of.world.settle_ghost(0, is_applied=True)
    of.judge()
