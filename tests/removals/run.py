"""Runs tests on a copy of the repository from which a guard is removed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final, NamedTuple

from tests.removals.removal import ROOT, Removal

_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)
_LEFT_OUT: Final = shutil.ignore_patterns(".*", "__pycache__", "build", "dist")


class Outcome(NamedTuple):
    """What came of a run of tests."""

    failed: frozenset[str]
    """The tests that failed, by their node ids without parameters."""
    is_hanging: bool
    """Whether the run was ended because it took too long."""
    seconds: float
    output: str


@contextmanager
def copied(root: Path = ROOT) -> Iterator[Path]:
    """A copy of the repository in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="removals-") as directory:
        tree = Path(directory) / "tree"
        shutil.copytree(root, tree, ignore=_LEFT_OUT)
        yield tree


@contextmanager
def without(tree: Path, removal: Removal) -> Iterator[None]:
    """Take the guard out of this tree, and put it back at the end."""
    path = tree / removal.file
    text = path.read_text(encoding="utf-8")
    _write(path, removal.apply(text))
    try:
        yield
    finally:
        _write(path, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    # Python takes bytecode for current if the source has the same size and was changed in the same second.
    Path(cache_from_source(str(path))).unlink(missing_ok=True)


def run(tree: Path, tests: Collection[str], timeout: float) -> Outcome:
    """Run tests in a tree for so many seconds at most. Raises RuntimeError if they cannot be run at all, such as for a
    test that does not exist or a module that cannot be imported: such a run shows nothing."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-rfE", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["--hypothesis-seed=0", *dict.fromkeys(tests)]
    began = time.monotonic()
    # In a session of its own, so that servers which the tests started end with it.
    with subprocess.Popen(
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        is_hanging = False
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            is_hanging = True
            _end(process)
            output, _ = process.communicate()
        except BaseException:
            _end(process)
            raise
    if not is_hanging and process.returncode not in (0, 1):
        raise RuntimeError(f"pytest could not run the tests, and ended with {process.returncode}:\n{output}")
    return Outcome(frozenset(_FAILED.findall(output)), is_hanging, time.monotonic() - began, output)


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
