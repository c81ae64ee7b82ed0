"""Which answers are right.

The client is the only one that writes, and a write has ended when the next call begins. So

- a read of the table must show all that was written: P2 allows one answer, that of the present;
- a query of a global index may be late, as the index itself is. DynamoDB may answer with each state that the index had
  since a moment that is its lag ago. The cache may keep an answer that shows too little for as long again as the
  change was old then, or for 20 ms; so the oldest state allowed is that of twice the lag ago.

            twice the lag ago              the lag ago                 now
    --------|------------------------------|---------------------------|
    wrong   | allowed of a hit             | allowed of DynamoDB       |

An answer is one state of the whole page: half of a change is wrong, too.

A miss is judged like a hit: daxlite chooses how it is read, and a stale answer is wrong whatever it comes from.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from benchmarks.workloads.calls import Read
from benchmarks.workloads.dynamodb import DynamoDB

LEAST = 0.02
"""Seconds for which the answer of an index may be kept, however young it is."""
_ROUNDING = 1e-6
"""Seconds: sums of floats are not exact."""


class Judge:
    """Judges the answers of a cache before this DynamoDB."""

    def __init__(self, dynamodb: DynamoDB) -> None:
        self._simulator = dynamodb.simulator
        self._answers = dynamodb.answers
        lag = self._simulator.replicas.index_lag
        self._index_is_late = max(2 * lag, lag + LEAST)

    def is_right(self, read: Read, response: Mapping[str, Any]) -> bool:
        """Whether DynamoDB, or a cache that keeps daxlite's promises, may give this answer now."""
        got = {name: member for name, member in response.items() if name != "ResponseMetadata"}
        if got == self._answers.now(read).response:
            return True
        index = self._answers.index(read)
        if index is None or not index.is_global:
            return False
        since = self._tick(read.request["TableName"], self._simulator.clock.now() - self._index_is_late - _ROUNDING)
        return any(got == answer.response for answer in self._answers.since(since, read))

    def _tick(self, table: str, moment: float) -> int:
        """That of the last change of the table up to a moment."""
        changes = self._simulator.tables[table].changes
        return changes[max(0, bisect_right(changes, moment, key=lambda change: change.time) - 1)].tick
