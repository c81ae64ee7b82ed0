"""What `daxlite follow` says: to machines as JSON, one object a line. `view.py` has what it says to people."""

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

import msgspec

from .progress import TableProgress


class Output(AbstractContextManager[Any], Protocol):
    """Where the command says something."""

    every: float
    """Seconds between two times at which it shows how far the feeds are."""

    def begun(self, tables: Sequence[str]) -> None:
        """What changes from here on is heard of."""

    def show(self, progress: Sequence[TableProgress]) -> None:
        """How far the feeds are."""

    def say(self, level: str, text: str) -> None:
        """A message of the log. level: "warning", "error", ..."""

    def ended(self, status: int, text: str) -> None:
        """The command ends, with this exit status."""


class JsonOutput(Output):
    """One JSON object a line, on standard output: its `event` says what the others are."""

    def __init__(self, every: float, stream: TextIO | None = None) -> None:
        self.every = every
        self._stream = sys.stdout if stream is None else stream

    def begun(self, tables: Sequence[str]) -> None:
        self._write("begun", tables=list(tables))

    def show(self, progress: Sequence[TableProgress]) -> None:
        for each in progress:
            self._write("progress", **msgspec.structs.asdict(each))

    def say(self, level: str, text: str) -> None:
        self._write("log", level=level, text=text)

    def ended(self, status: int, text: str) -> None:
        self._write("ended", status=status, text=text)

    def _write(self, event: str, **values: Any) -> None:
        line = msgspec.json.encode({"event": event, "time": round(time.time(), 3), **values}).decode()
        self._stream.write(line + "\n")
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        return None
