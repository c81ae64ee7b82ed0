"""The circuit breaker: when a command is sent to a server that fails."""

import pytest

from daxlite.shared.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, MAX_PAUSE, Breaker
from tests.aggregations.scripted import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_it_opens_after_a_number_of_failures_in_a_row(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(3):
        for _ in range(FAILURES_TO_OPEN - 1):
            breaker.failed()
        assert breaker.allows()
        breaker.succeeded()
    assert not breaker.is_open
    breaker = opened(clock)
    assert breaker.is_open
    assert not breaker.allows()
    assert breaker.skipped == 1


def test_after_the_pause_one_caller_probes_and_the_others_wait_for_its_outcome(clock: Clock) -> None:
    breaker = opened(clock)
    clock.advance(FIRST_PAUSE - 0.01)
    assert not breaker.allows()
    clock.advance(0.01)
    assert not breaker.is_open
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True, True, True]


def test_each_failed_probe_doubles_the_pause_up_to_the_maximum(clock: Clock) -> None:
    breaker, pauses = opened(clock), []
    for _ in range(10):
        began = clock()
        while not breaker.allows():
            clock.advance(0.5)
        pauses.append(clock() - began)
        breaker.failed()
    assert pauses[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert pauses[-1] == MAX_PAUSE


def test_a_probe_without_an_outcome_is_followed_by_another(clock: Clock) -> None:
    breaker = opened(clock)
    clock.advance(FIRST_PAUSE)
    assert breaker.allows()
    clock.advance(MAX_PAUSE)
    assert breaker.allows()


def test_once_closed_it_opens_and_pauses_as_at_the_beginning(clock: Clock) -> None:
    breaker = opened(clock)
    clock.advance(100)
    assert breaker.allows()
    breaker.failed()
    clock.advance(100)
    assert breaker.allows()
    breaker.succeeded()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed()
    assert breaker.allows()
    breaker.failed()
    clock.advance(FIRST_PAUSE)
    assert breaker.allows()


def test_what_is_urgent_is_sent_in_any_case_and_its_answer_closes_it(clock: Clock) -> None:
    breaker = opened(clock)
    assert [breaker.allows(is_urgent=True), breaker.allows()] == [True, False]
    assert breaker.skipped == 1
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.allows()


def test_while_what_is_urgent_fails_nobody_else_has_to_find_out(clock: Clock) -> None:
    breaker = opened(clock)
    for _ in range(20):
        clock.advance(FIRST_PAUSE / 2)
        assert breaker.allows(is_urgent=True)
        breaker.failed()
        assert not breaker.allows()
    clock.advance(FIRST_PAUSE)
    assert breaker.allows(), "the pause has not grown"
