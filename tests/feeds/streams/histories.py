"""Random histories of a stream and of those who read it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from daxlite.feeds.streams.asks import LONGEST_PAUSE
from daxlite.feeds.streams.descriptions import REFRESH
from daxlite.feeds.streams.reader import Start
from tests.feeds.streams.driver import Clock, Driver
from tests.feeds.streams.judge import check_rates
from tests.feeds.streams.service import StreamService
from tests.feeds.streams.stored import StoredShard

Action = tuple[str, int]

WRITES = ("write", "write", "write", "write", "split", "split", "roll", "merge")
READS = ("run", "run", "run", "steps", "steps", "step", "save")
FAULTS = ("crash", "die", "rewind", "hide", "show open", "blank", "throttle", "break", "lose iterator", "not found")
LOSSES = ("lose", "hide for long", "sleep", "sleep", "sleep")
ENDS = ("disable", "remove")

_RUNS = (0.3, 1.0, 3.0, 8.0)
_FREEZES = (20.0, 600.0, 1200.0, 3600.0)
_SLEEPS = (5 * 3600.0, 20 * 3600.0, 23.9 * 3600.0, 25 * 3600.0, 50 * 3600.0)
_STEPS = (1, 2, 4, 8)
_OPERATIONS = ("GetRecords", "GetShardIterator", "DescribeStream")
CALM_HOURS = 23
"""A history that is over sooner, and that loses no shards, has no gaps."""


@dataclass(frozen=True)
class History:
    """What happens, and the reader that it happens to."""

    actions: list[Action]
    is_calm: bool
    start: Start
    roots: int
    page: int
    batch: int
    may_filter: bool
    ends_with_records: bool
    save_every: int
    poll: float
    chance: float


def histories() -> st.SearchStrategy[History]:
    return st.booleans().flatmap(_histories)


def _histories(is_calm: bool) -> st.SearchStrategy[History]:
    kinds = (*WRITES, *READS, *FAULTS, "freeze", *(() if is_calm else (*LOSSES, *ENDS)))
    return st.builds(
        History,
        actions=st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 7)), min_size=10, max_size=40),
        is_calm=st.just(is_calm),
        start=st.sampled_from(("latest", "trim_horizon")),
        roots=st.integers(1, 3),
        page=st.sampled_from((1, 2, 3, 100)),
        batch=st.sampled_from((1, 3, 1000)),
        may_filter=st.booleans(),
        ends_with_records=st.booleans(),
        save_every=st.sampled_from((0, 1, 1, 5)),
        poll=st.sampled_from((1.0, 1.0, 4.0)),
        chance=st.sampled_from((0.0, 0.5, 1.0)),
    )


def play(history: History) -> Driver:
    """Let it happen, heal what is broken, and wait until everything is read. Raises AssertionError."""
    clock = Clock()
    service = StreamService(
        clock.wall,
        roots=history.roots,
        page=history.page,
        batch=history.batch,
        may_filter=history.may_filter,
        ends_with_records=history.ends_with_records,
    )
    driver = Driver(
        service,
        clock,
        start=history.start,
        poll=history.poll,
        save_every=history.save_every,
        chance=history.chance,
    )
    for kind, number in history.actions:
        if driver.has_ended:
            break
        act(driver, kind, number)
        check_rates(driver.asks)
        driver.asks = driver.asks[-10:]
    service.heal()
    _finish(driver)
    if history.is_calm:
        assert clock.now < CALM_HOURS * 3600
        assert not driver.gaps
    return driver


def _finish(driver: Driver) -> None:
    """Nothing goes wrong any more: everything is read before long, and what is written then is read, too."""
    service = driver.service
    if not service.is_gone:
        driver.caught_up()
    if service.is_gone or service.status == "DISABLED":
        driver.run(600.0)
        assert driver.has_ended
        return
    driver.failing, driver.dies_applying = 0, False
    assert driver.run(REFRESH + LONGEST_PAUSE, driver.reads_open_shards)
    for shard in service.open_shards():
        service.write(shard)
    driver.caught_up(seconds=60.0)  # some are read once more, one by one
    check_rates(driver.asks)


def act(driver: Driver, kind: str, number: int) -> None:
    """Let one thing happen."""
    service, clock = driver.service, driver.clock
    open_shards, known = service.open_shards(), list(service.shards.values())
    one = open_shards[number % len(open_shards)] if open_shards else None
    any_one = known[-1 - number % len(known)] if known else None
    match kind:
        case "write" if one is not None:
            service.write(one, number + 1)
        case "split" | "roll" if one is not None and len(open_shards) < 5:
            service.split(one, 1 if kind == "roll" else 2)
        case "merge" if len(open_shards) > 1:
            service.merge([open_shards[number % len(open_shards)], open_shards[(number + 1) % len(open_shards)]])
        case "run":
            driver.run(_RUNS[number % len(_RUNS)])
        case "steps" | "step":
            driver.steps(_STEPS[number % len(_STEPS)] if kind == "steps" else 1)
        case "freeze":
            clock.now += _FREEZES[number % len(_FREEZES)]
        case "sleep":
            clock.now += _SLEEPS[number % len(_SLEEPS)]
        case "disable":
            service.disable()
        case "remove" if number == 7:
            service.remove()
        case _:
            _disturb(driver, kind, number, any_one)


def _disturb(driver: Driver, kind: str, number: int, shard: StoredShard | None) -> None:
    """Let one thing go wrong."""
    service, operation = driver.service, _OPERATIONS[number % len(_OPERATIONS)]
    match kind:
        case "save":
            driver.save()
        case "crash":
            driver.restart()
        case "die":
            driver.dies_applying = True
        case "rewind":
            driver.failing = 1 + number % 3
        case "throttle":
            service.fail(operation, "LimitExceededException", 1 + number)
        case "break":
            service.fail(operation, "InternalServerError", 1 + number)
        case "lose iterator":
            service.fail("GetRecords", "ExpiredIteratorException", 1 + number % 2)
        case "not found" if driver.not_found < 2:
            driver.not_found += 1
            service.fail(_OPERATIONS[number % 2], "ResourceNotFoundException")
        case "hide" if shard is not None and not shard.was_hidden:
            service.hide(shard, 1 + number % 2)
        case "hide for long" if shard is not None and driver.knows(shard):
            service.hide(shard, 3 + 5 * number)
        case "show open" if shard is not None:
            service.show_open(shard, 1 + number % 3)
        case "blank" if shard is not None:
            service.blank(shard, 1 + number % 3)
        case "lose" if shard is not None and number > 4 and driver.knows(shard):
            service.lose(shard)
