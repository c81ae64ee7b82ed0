"""What the shared tier did in this process, counted."""

import time
from collections import Counter, deque
from typing import Final

_REMEMBERED: Final = 2048
"""So many of the last steps are remembered with the time that they took."""


class TierCounts:
    """The running counts. Without a lock: one of them may be lost where threads count at once."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start from zero, as a new process does after a fork."""
        self.hits = self.misses = self.waits = self.fills = self.probation_fills = 0
        self.writes = self.untold_writes = self.bytes_read = self.bytes_written = 0
        self.refused: Counter[str] = Counter()
        self._times: deque[float] = deque(maxlen=_REMEMBERED)

    def timed(self, began: float) -> None:
        """Note a step that began at this moment of `time.perf_counter` and is over."""
        self._times.append(time.perf_counter() - began)

    def quantiles(self) -> tuple[float, float]:
        """The median and the 99th percentile of the last steps, in seconds."""
        times = sorted(self._times.copy())
        if not times:
            return 0.0, 0.0
        return times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
