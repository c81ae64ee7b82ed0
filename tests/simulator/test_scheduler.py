"""The scheduler: every order that is asked for, and a clear word where there is none."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulator import Scheduler, Simulator
from tests.simulator.plain_table import make_plain_table
from tests.simulator.replicas import Clock
from tests.simulator.scheduler import DeadlockError, StuckError, every_order, in_turn
from tests.volume import amount, is_short

KEY = {"pk": {"S": "k"}}


def increment(client: Any) -> None:
    """As one should not: two of them at once may count for one."""
    found = client.get_item(TableName="plain", Key=KEY, ConsistentRead=True).get("Item", {})
    n = int(found.get("n", {"N": "0"})["N"])
    client.put_item(TableName="plain", Item={**KEY, "n": {"N": str(n + 1)}})


def race(simulator: Simulator, client: Any, choices: Any) -> tuple[int, list[tuple[str, str]]]:
    scheduler = Scheduler(simulator.clock)
    simulator.at = scheduler.at
    for name in ("one", "two"):
        scheduler.spawn(name, increment, client)
    scheduler.run(choices)
    return int(simulator.states("plain", KEY)[-1].item["n"]["N"]), scheduler.trace  # type: ignore[index]


def test_the_choices_decide(shared: tuple[Simulator, Any], client: Any) -> None:
    assert race(*shared, in_turn([0] * 20))[0] == 2
    make_plain_table(*shared)
    assert race(*shared, in_turn([0, 1] * 10))[0] == 1


def test_the_same_choices_give_the_same_run(shared: tuple[Simulator, Any], client: Any) -> None:
    runs = []
    for _ in range(3):
        make_plain_table(*shared)
        runs.append(race(*shared, in_turn([1, 0, 0, 1, 1, 0, 1])))
    assert runs[0] == runs[1] == runs[2]


def test_all_orders_are_reached(shared: tuple[Simulator, Any]) -> None:
    traces = []
    for choose in every_order():
        make_plain_table(*shared)
        count, trace = race(*shared, choose)
        assert count in (1, 2)
        traces.append(tuple(name for name, _ in trace))
    # Two threads with five steps each.
    assert len(traces) == len(set(traces)) == 252


@settings(
    max_examples=amount("orders of two threads"),
    derandomize=is_short(),
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_hypothesis_chooses_the_next_thread_and_what_a_replica_shows(
    shared: tuple[Simulator, Any], data: st.DataObject
) -> None:
    simulator, client = shared
    make_plain_table(simulator, client)
    scheduler = Scheduler(simulator.clock)
    simulator.at = scheduler.at
    simulator.replicas.base_lag = 1.0
    simulator.replicas.choose = scheduler.in_driver(lambda call, ticks: data.draw(st.sampled_from(ticks)))
    scheduler.spawn("writer", lambda: [client.put_item(TableName="plain", Item={**KEY, "n": {"N": n}}) for n in "12"])

    def read() -> tuple[int, Any, int]:
        before = simulator.history.now
        item = client.get_item(TableName="plain", Key=KEY).get("Item")
        return before, item, simulator.history.now

    scheduler.spawn("reader", read)
    scheduler.spawn("another reader", read)
    results = scheduler.run(lambda names: data.draw(st.integers(0, len(names) - 1)))
    for name in ("reader", "another reader"):
        _, item, after = results[name]
        assert item in [state.item for state in simulator.states("plain", KEY, 0, after)]


def test_results_and_errors_carry_names() -> None:
    scheduler = Scheduler()
    scheduler.spawn("good", lambda: 5)
    assert scheduler.run() == {"good": 5}

    def fail() -> None:
        raise KeyError("what")

    scheduler = Scheduler()
    scheduler.spawn("bad", fail)
    with pytest.raises(KeyError) as one:
        scheduler.run()
    assert "'bad'" in one.value.__notes__[0]
    scheduler = Scheduler()
    scheduler.spawn("bad", fail)
    scheduler.spawn("worse", fail)
    with pytest.raises(ExceptionGroup) as both:
        scheduler.run()
    assert len(both.value.exceptions) == 2
    with pytest.raises(ValueError, match="already"):
        scheduler.spawn("bad", fail)


def test_waiting_for_another_thread() -> None:
    for choices in itertools.product((0, 1), repeat=4):
        scheduler = Scheduler()
        event = scheduler.event()
        log: list[str] = []

        def follow(event: Any = event, log: list[str] = log) -> None:
            assert event.wait()
            log.append("follower")

        def lead(event: Any = event, log: list[str] = log, scheduler: Scheduler = scheduler) -> None:
            scheduler.park("at work")
            log.append("leader")
            event.set()

        scheduler.spawn("follower", follow)
        scheduler.spawn("leader", lead)
        scheduler.run(in_turn(choices))
        assert log == ["leader", "follower"]


def test_timeouts_pass_when_no_thread_can_go_on() -> None:
    clock = Clock()
    scheduler = Scheduler(clock)
    never = scheduler.event()
    start = clock.now()
    log: list[str] = []

    def wait(name: str, seconds: float) -> bool:
        result = never.wait(seconds)
        log.append(name)
        return result

    scheduler.spawn("late", wait, "late", 5.0)
    scheduler.spawn("soon", wait, "soon", 2.0)
    assert scheduler.run() == {"late": False, "soon": False}
    assert log == ["soon", "late"]
    assert clock.now() == start + 5.0


def test_deadlock() -> None:
    scheduler = Scheduler()
    one, two = scheduler.event(), scheduler.event()
    cleaned: list[str] = []

    def wait(first: Any, second: Any) -> None:
        try:
            first.wait()
            second.set()
        finally:
            cleaned.append(threading.current_thread().name)

    scheduler.spawn("ada", wait, one, two)
    scheduler.spawn("bob", wait, two, one)
    with pytest.raises(DeadlockError, match="'ada' at 'wait', 'bob' at 'wait'"):
        scheduler.run()
    assert sorted(cleaned) == ["ada", "bob"]
    assert not [thread for thread in threading.enumerate() if thread.name in ("ada", "bob")]


def test_a_thread_that_waits_behind_the_schedulers_back() -> None:
    scheduler = Scheduler(stuck_after=0.05)
    hidden = threading.Event()
    scheduler.spawn("hidden", hidden.wait, 5.0)
    with pytest.raises(StuckError, match=r"'hidden' does not park(.|\n)*in wait"):
        hidden_thread_ends_after(scheduler, hidden)


def hidden_thread_ends_after(scheduler: Scheduler, hidden: threading.Event) -> None:
    try:
        scheduler.run()
    finally:
        hidden.set()


def test_a_thread_that_never_ends() -> None:
    scheduler = Scheduler(max_steps=50)

    def spin() -> None:
        while True:
            scheduler.park("again")

    scheduler.spawn("spinner", spin)
    with pytest.raises(StuckError, match="after 50 steps"):
        scheduler.run()


def test_a_driver_that_fails_ends_its_threads(shared: tuple[Simulator, Any], client: Any) -> None:
    simulator, _ = shared
    scheduler = Scheduler()
    simulator.at = scheduler.at
    simulator.replicas.base_lag = 1.0
    client.put_item(TableName="plain", Item=KEY)

    def fail(*_: Any) -> int:
        raise LookupError("nothing left to draw")

    simulator.replicas.choose = scheduler.in_driver(fail)
    for name in ("one", "two"):
        scheduler.spawn(name, client.get_item, TableName="plain", Key=KEY)
    with pytest.raises(LookupError, match="nothing left"):
        scheduler.run(in_turn([0, 1] * 5))
    assert not [thread for thread in threading.enumerate() if thread.name in ("one", "two")]


def test_threads_of_others_pass_by(shared: tuple[Simulator, Any], client: Any) -> None:
    scheduler = Scheduler()
    shared[0].at = scheduler.at
    client.put_item(TableName="plain", Item=KEY)
    with pytest.raises(RuntimeError, match="not one of its own"):
        scheduler.event().wait()
