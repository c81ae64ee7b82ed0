"""Starts and stops the embedded DynamoDB server."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import IO, Any

from daxlite.demo.settings import DemoError

START_SECONDS = 60.0
STOP_SECONDS = 5.0


@contextmanager
def embedded_server() -> Iterator[str]:
    """A moto server on a free port of 127.0.0.1 for as long as the block runs; yields its URL."""
    for package in ("moto", "flask"):  # flask comes with moto[server], not with moto
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "daxlite.demo.moto_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=surroundings(),
            # Ctrl-C is sent to every process of the terminal's group. The server must not end before the demo does, or
            # the last message on the screen would be one about a refused connection.
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{_port(process, errors)}"
        finally:
            stop(process)


def surroundings(*, aws: bool = False) -> dict[str, str]:
    """The environment of a child process: that of this process, with daxlite importable if it is not installed.

    aws: whether to keep the variables of AWS.
    """
    kept = {name: value for name, value in os.environ.items() if aws or not name.startswith(("AWS_", "MOTO_"))}
    kept["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return kept


def _port(process: subprocess.Popen[bytes], errors: IO[bytes]) -> int:
    """The port, which the server prints once it listens. A server that hangs is killed, which ends this read."""
    assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    try:
        line = process.stdout.readline().strip()
    finally:
        timer.cancel()
        timer.join()
    if not line.isdigit():
        process.kill()
        process.wait()
        errors.seek(0)
        last = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        raise DemoError(f"the embedded DynamoDB server did not start: {last or 'no answer in time'}")
    return int(line)


def stop(process: subprocess.Popen[Any], *, gently: bool = False) -> None:
    """Stop a child process. gently: by closing its standard input."""
    if gently and process.stdin is not None:
        process.stdin.close()
    else:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
