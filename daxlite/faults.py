"""Faults of daxlite's own: counted, the first one logged, and kept from the application."""

import logging
import traceback
from typing import Final

_logger: Final = logging.getLogger("daxlite")


class Faults:
    """How many there were."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, error: BaseException) -> None:
        """Count a fault, and log the first. Its message is left out: it may quote a result."""
        self.count += 1
        if self.count == 1:
            where = "".join(traceback.format_tb(error.__traceback__))
            message = "a fault in daxlite (%s), kept from the application; later ones are only counted\n%s"
            _logger.error(message, type(error).__name__, where)
