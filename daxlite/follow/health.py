"""The health file of `daxlite follow`, for a liveness probe.

It is there while the command runs, and is written anew every few seconds: one that is old is that of a process that
hangs or is gone. It takes the place of the one before in one step, so that no reader sees a part of it.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

WRITE_EVERY: Final = 5.0
"""Seconds."""

_logger: Final = logging.getLogger("daxlite")


class Health(Struct, frozen=True):
    """What is in the file, as JSON."""

    time: float
    """Seconds since the epoch: when it was written."""
    healthy: bool
    """Whether all feeds run and none is behind."""
    why: Sequence[str]
    """What is wrong, in words."""
    behind: Mapping[str, float | None]
    """By table, in seconds; null where it is not known."""


class HealthFile:
    """Writes the file, and removes it at the end.

    path: None for no file at all. clock: seconds that never go back.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        self._path = path
        self._clock, self._wall_clock = clock, wall_clock
        self._written_at: float | None = None
        self._has_failed = False

    def check(self) -> None:
        """Remove what another run has left. Raises OSError where no file can be written."""
        if self._path is not None:
            self._replace(b"")
            self._path.unlink()

    def write(self, behind: Mapping[str, float | None], why: Sequence[str]) -> None:
        """Write it, if it is time. why: what is wrong; nothing if all is well."""
        now = self._clock()
        if self._path is None or (self._written_at is not None and now - self._written_at < WRITE_EVERY):
            return
        self._written_at = now
        try:
            self._replace(msgspec.json.encode(Health(self._wall_clock(), not why, why, behind)) + b"\n")
        except OSError as error:  # the disk is full: the feeds go on, and the probe sees an old file
            if not self._has_failed:
                _logger.warning("the health file cannot be written: %s", error)
            self._has_failed = True
        else:
            self._has_failed = False

    def remove(self) -> None:
        """The command ends."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _replace(self, content: bytes) -> None:
        assert self._path is not None  # noqa: S101 - for the type checker
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            beside.write_bytes(content)
            beside.replace(self._path)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
