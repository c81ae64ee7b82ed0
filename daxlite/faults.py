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
        """Count a fault, and log the first. The error's message is left out, because it may quote an item."""
        self.count += 1
        if self.count > 1:
            return
        where = "".join(traceback.format_tb(error.__traceback__))
        message = "a fault in daxlite (%s), kept from the application; later ones are only counted\n%s"
        _logger.error(message, type(error).__name__, where)
