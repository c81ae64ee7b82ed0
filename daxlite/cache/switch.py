"""Whether this process caches: it may be told not to, from outside or by a test.

    DAXLITE_DISABLED=1             off, from the start of the process
    daxlite.testing.disabled()     off, within its block
    daxlite.testing.enabled()      on, within its block, for what mocks answer too

The block that was entered last decides, for all threads and tasks. A hit does not ask here: every table knows by
`Table.off` what follows for its reads, and is told when that changes.
"""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Final

from ..core.checks import SWITCH_RULE, shown, switch_in

_logger: Final = logging.getLogger("daxlite")

VARIABLE: Final = "DAXLITE_DISABLED"
"""The environment variable."""


def is_disabling(text: str) -> bool:
    """What a value of the variable says. A value that is not allowed is logged, and disables: a program without a
    cache is slow, and right.

    >>> [is_disabling(text) for text in ("1", "True", "0", "false", "")]
    [True, True, False, False, False]
    """
    meaning = switch_in(text)
    if meaning is None:
        _logger.warning("%s is %s; it must be %s. Nothing is cached", VARIABLE, shown(text), SWITCH_RULE)
        return True
    return meaning


class Switch:
    """What a process is told. It takes no lock, which a child process or a signal handler might find taken.

    >>> switch, block = Switch({"DAXLITE_DISABLED": "1"}), object()
    >>> switch.enter(block, is_on=True)
    >>> switch.is_off
    False
    >>> switch.leave(block)
    >>> switch.is_off
    True
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._blocks: Final[dict[object, bool]] = {}
        """Those that are entered, in this order, and whether each switches on."""
        self._text = ""
        self._is_off_outside = False
        self.is_off = False
        """Whether nothing is answered from a cache, and nothing is stored."""
        self.on_change: Callable[[], object] = bool
        """Is called after every change, and may be called when there was none."""
        self.look(environment)

    @property
    def is_on_for_mocks(self) -> bool:
        """Whether also what a mock answers is cached: the application's test says so."""
        return self._innermost() is True

    def enter(self, block: object, *, is_on: bool) -> None:
        """Begin a block."""
        self._blocks[block] = is_on
        self._settle()

    def leave(self, block: object) -> None:
        """End a block, whether or not it is the last one."""
        self._blocks.pop(block, None)
        self._settle()

    def look(self, environment: Mapping[str, str]) -> None:
        """Look at the variable."""
        text = environment.get(VARIABLE, "")
        if text != self._text:
            self._text, self._is_off_outside = text, is_disabling(text)
            self._settle()

    def _innermost(self) -> bool | None:
        blocks = [*self._blocks.values()]
        return blocks[-1] if blocks else None

    def _settle(self) -> None:
        # Of two threads, the one that writes last looks once more, so that what holds in the end is what was said last.
        while True:
            innermost = self._innermost()
            is_off = self._is_off_outside if innermost is None else not innermost
            if self.is_off is is_off:
                break
            self.is_off = is_off
        self.on_change()


SWITCH: Final = Switch(os.environ)
"""That of this process."""
