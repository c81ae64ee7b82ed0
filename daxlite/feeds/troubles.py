"""Requests of a feed that fail: said once when they begin to, and once when they work again."""

import logging
from collections.abc import Callable
from typing import Final

_logger: Final = logging.getLogger("daxlite")

THROTTLED_FOR: Final = 10.0
"""Seconds after which it is said that requests are throttled: now and then they are in the best of days."""


class Troubles:
    """The operations that fail now, of one table. clock: seconds that never go back."""

    def __init__(self, table: str, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock
        self._since: dict[str, float] = {}
        self._said: set[str] = set()

    def failed(self, operation: str, code: str, *, is_throttling: bool) -> None:
        """One failed, and is sent again."""
        self._since.setdefault(operation, self._clock())
        if operation not in self._said and not (is_throttling and self.lasts(operation) < THROTTLED_FOR):
            self._said.add(operation)
            _logger.warning("%s of %s fails, and is tried again: %s", operation, self._table, code)

    def worked(self, operation: str) -> None:
        """One had a reply."""
        self._since.pop(operation, None)
        if operation in self._said:
            self._said.discard(operation)
            _logger.warning("%s of %s works again", operation, self._table)

    def lasts(self, operation: str) -> float:
        """For how many seconds an operation has failed without a reply in between."""
        now = self._clock()
        return now - self._since.get(operation, now)
