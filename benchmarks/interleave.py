"""Cases measured beside each other: many short rounds, and in each of them every case once, in random order.

What disturbs a machine for a second disturbs all cases alike, and none is always the one that runs after the same other
one; in a fixed order two equal clients were seen to differ by 40 %. A ratio is that of two cases in one round; what is
reported is the median of all rounds.

In a round a case is called

- once, timed: the *first* call, which finds the processor's caches full of the other cases;
- a few chunks of times, each of about 0.3 ms or of one call, each timed: the median of the chunks is what a call
  takes in this round. Neither the clock's own time shows in it, nor that another process ran now and then;
- some times more, each timed by itself, if that is not what the chunks are: the distribution.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from time import perf_counter, perf_counter_ns
from typing import Any

from daxlite.demo.measure import percentile

Call = Callable[[], object]

CHUNK = 0.0003
"""Seconds for the calls that are timed together, or one call where that takes longer."""
CHUNKS = 10
SINGLES = 50
BINS_PER_DECADE = 40
PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9)


@dataclass(frozen=True)
class Plan:
    """How often to call a case in a round."""

    together: int
    """Calls in a chunk."""
    chunks: int
    singles: int

    @property
    def calls(self) -> int:
        return 1 + self.together * self.chunks + self.singles


@dataclass(frozen=True)
class Sample:
    """What one call took in one round, in seconds."""

    first: float
    chunks: list[float]
    singles: list[float]


@dataclass(frozen=True)
class Case:
    """Something to call again and again."""

    name: str
    call: Call

    def sample(self, plan: Plan) -> Sample:
        return Sample(self._time(1), self._times(plan.chunks, plan.together), self._times(plan.singles, 1))

    def _times(self, count: int, together: int) -> list[float]:
        return [self._time(together) for _ in range(count)]

    def _time(self, together: int) -> float:
        call, calls = self.call, repeat(None, together)
        began = perf_counter_ns()
        for _ in calls:
            call()
        return (perf_counter_ns() - began) / 1e9 / together


@dataclass(frozen=True)
class AsyncCase:
    """The same for a coroutine function. The start of the event loop is not a part of what is measured."""

    name: str
    call: Callable[[], Awaitable[object]]
    loop: asyncio.AbstractEventLoop

    def sample(self, plan: Plan) -> Sample:
        return self.loop.run_until_complete(self._sample(plan))

    async def _sample(self, plan: Plan) -> Sample:
        return Sample(
            await self._time(1), await self._times(plan.chunks, plan.together), await self._times(plan.singles, 1)
        )

    async def _times(self, count: int, together: int) -> list[float]:
        return [await self._time(together) for _ in range(count)]

    async def _time(self, together: int) -> float:
        call, calls = self.call, repeat(None, together)
        began = perf_counter_ns()
        for _ in calls:
            await call()
        return (perf_counter_ns() - began) / 1e9 / together


@dataclass
class _Measured:
    """A case and what was measured of it."""

    case: Case | AsyncCase
    plan: Plan
    firsts: list[float] = field(default_factory=list)
    singles: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, case: Case | AsyncCase, chunk: float, chunks: int) -> "_Measured":
        case.sample(Plan(1, 5, 0))
        together = max(1, round(chunk / min(case.sample(Plan(1, 5, 0)).chunks)))
        return cls(case, Plan(together, chunks, SINGLES if together > 1 else 0))

    def measure(self) -> None:
        sample = self.case.sample(self.plan)
        self.firsts.append(sample.first)
        self.singles += sample.singles or sample.chunks
        self.rounds.append(median(sample.chunks).median)

    def as_json(self) -> dict[str, Any]:
        singles = sorted(self.singles)
        bins = Counter(math.floor(math.log10(value) * BINS_PER_DECADE) for value in singles if value > 0)
        return {
            "calls": len(self.rounds) * self.plan.calls,
            "first": percentile(self.firsts, 50),
            "percentiles": {str(percent): percentile(singles, percent) for percent in PERCENTS},
            "histogram": [[number, bins[number]] for number in sorted(bins)],
            "rounds": self.rounds,
        }


class Comparison:
    """Cases that are measured beside each other."""

    def __init__(
        self, cases: Iterable[Case | AsyncCase], *, chunk: float = CHUNK, chunks: int = CHUNKS, seed: int = 5
    ) -> None:
        self._measured = [_Measured.of(case, chunk, chunks) for case in cases]
        self._order = random.Random(seed)

    def round(self) -> None:
        """Measure every case once, in random order."""
        for measured in self._order.sample(self._measured, len(self._measured)):
            measured.measure()

    def run(self, seconds: float) -> "Comparison":
        """As many rounds as there is time for, but five."""
        until = perf_counter() + seconds
        rounds = 0
        while rounds < 5 or perf_counter() < until:
            self.round()
            rounds += 1
        return self

    def rounds_in(self, seconds: float) -> int:
        """How many rounds there is time for."""
        began = perf_counter()
        self.round()
        return max(20, round(seconds / (perf_counter() - began)))

    def rounds(self, name: str) -> list[float]:
        """Of the case of this name: what a call took in each round."""
        return next(measured.rounds for measured in self._measured if measured.case.name == name)

    def as_json(self) -> dict[str, Any]:
        return {measured.case.name: measured.as_json() for measured in self._measured}


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of all rounds, and the range in which it lies with a confidence of 95 %."""

    median: float
    low: float
    high: float


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """Compare two cases, round by round.

    >>> ratio([2.0, 4.0, 9.0], [1.0, 2.0, 3.0])
    Ratio(median=2.0, low=2.0, high=3.0)
    """
    return _median(sorted(one / other for one, other in zip(numerators, denominators, strict=True)))


def median(values: Sequence[float]) -> Ratio:
    """The same for the times of one case."""
    return _median(sorted(values))


def _median(ordered: Sequence[float]) -> Ratio:
    count = len(ordered)
    # How many of n values lie below the true median is binomial, whatever their distribution: n/2, give or take this.
    reach = 1.96 * math.sqrt(count) / 2
    low = max(0, math.floor(count / 2 - reach))
    high = min(count - 1, math.ceil(count / 2 + reach))
    return Ratio(percentile(ordered, 50), ordered[low], ordered[high])


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(0.00000044), duration(0.0000021), duration(0.00081), duration(0.0123)
    ('440 ns', '2.1 µs', '810 µs', '12 ms')
    """
    value, unit = next((seconds * scale, unit) for scale, unit in _UNITS if seconds * scale >= 1 or scale == 1e9)
    return f"{value:.1f} {unit}" if value < 9.95 and round(value, 1) % 1 else f"{value:.0f} {unit}"


_UNITS = ((1, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns"))
