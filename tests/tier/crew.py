"""Processes that take orders: started from a server that has imported everything, so that one more is cheap."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from tests.tier.worker import Setup, serve

PATIENCE = 60.0

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.tier.preloaded"])


class Process:
    """One process, see `Worker` for its orders."""

    def __init__(self, setup: Setup | None = None) -> None:
        self._orders, theirs = _context.Pipe()
        self._process = _context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        if setup is not None:
            self.ask("open", setup)

    def send(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Give an order without waiting; `receive` brings what came of it."""
        self._orders.send((name, args, kwargs))

    def receive(self, seconds: float = PATIENCE) -> Any:
        """What came of the last order. Raises what it raised, and EOFError if the process has died."""
        if not self._orders.poll(seconds):
            os.kill(self.pid, signal.SIGUSR1)  # it shows where its threads are
            time.sleep(0.5)
            raise TimeoutError(f"process {self.pid} has not answered for {seconds:.0f} s")
        is_done, value = self._orders.recv()
        if not is_done:
            raise value
        return value

    def ask(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.send(name, *args, **kwargs)
        return self.receive()

    def call(self, operation: str, **params: Any) -> Any:
        return self.ask("call", operation, **params)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def wait_until_dead(self) -> None:
        self._process.join(PATIENCE)
        assert not self._process.is_alive(), "the process lives on"

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def wait_until_stopped(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            state = subprocess.run(["ps", "-o", "state=", "-p", str(self.pid)], capture_output=True, check=False).stdout
            if state.strip().startswith(b"T"):
                return
            assert time.monotonic() < deadline, f"the process is not stopped: {state!r}"
            time.sleep(0.005)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError, OSError):
            self.resume()
        self._orders.close()
        self._process.join(1.0)
        if self._process.is_alive():
            self.kill()


@contextlib.contextmanager
def processes(number: int, setup: Setup | None = None) -> Iterator[list[Process]]:
    """So many processes; they end with the block."""
    started: list[Process] = []
    try:
        started.extend(Process(setup) for _ in range(number))
        yield started
    finally:
        for each in started:
            each.end()
