"""`daxlite follow` in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from tests.aggregations.servers.waiting import wait_until

STARTS = 30.0
"""Seconds in which it has to begin."""


class Command:
    """It runs, and prints JSON."""

    def __init__(self, endpoint: str, redis_url: str, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-m",
                "daxlite",
                "follow",
                "--endpoint-url",
                endpoint,
                "--json",
                *arguments,
            ],
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_REGION": "us-east-1",
                "DAXLITE_REDIS_URL": redis_url,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        """What it printed on standard error."""
        pipes = (self.process.stdout, self.lines), (self.process.stderr, self.errors)
        self._readers = [threading.Thread(target=self._read, args=each, daemon=True) for each in pipes]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: IO[str], lines: list[str]) -> None:
        with pipe:
            lines += iter(pipe.readline, "")

    def events(self, event: str) -> list[dict[str, Any]]:
        """What it printed of this kind, each with its line as JSON."""
        return [each for each in map(json.loads, self.lines.copy()) if each["event"] == event]

    def begun(self) -> "Command":
        """Wait until it follows."""
        wait_until("it has begun", lambda: self.events("begun") or self.process.poll() is not None, STARTS)
        assert self.process.poll() is None, self.lines
        return self

    def logged(self) -> str:
        """Its messages."""
        return "\n".join(each["text"] for each in self.events("log"))

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """End it by a signal. Returns its exit status, and the seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.status(), time.monotonic() - began

    def status(self) -> int:
        """Its exit status, once it has ended."""
        status = self.process.wait(STARTS)
        for reader in self._readers:
            reader.join(STARTS)
        [ended] = self.events("ended") or [{"status": status}]
        assert (ended["status"], self.errors) == (status, []), "the same is said on both ways"
        return status


@contextmanager
def following(endpoint: str, redis_url: str, *arguments: str, **environment: str) -> Iterator[Command]:
    """The command; it has ended when this returns."""
    command = Command(endpoint, redis_url, *arguments, **environment)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.wait()
