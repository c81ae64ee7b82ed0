"""The recipes of the page, as modules that processes import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from daxlite.demo.leash import __file__ as leash

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
REGION = "eu-west-1"
PATIENCE = 60.0
"""Seconds in which a process starts on a busy machine, and answers."""
AWS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": REGION}


def recipes() -> dict[str, str]:
    """The code of each recipe, by its heading."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {
        heading: re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {heading: "".join(blocks) for heading, blocks in found.items() if blocks}


def environment(dynamodb: str, redis: str = "", namespace: str = "") -> dict[str, str]:
    """The variables of a process that finds its servers by them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DAXLITE_"))}
    path = os.pathsep.join(each for each in sys.path if each)
    found = {**kept, **AWS, "PYTHONPATH": path, "AWS_ENDPOINT_URL_DYNAMODB": dynamodb}
    if redis:
        # With more time for Redis than by default: on a busy machine a process might do without it for a moment.
        found |= {"DAXLITE_SHARED": redis, "DAXLITE_SHARED_NAMESPACE": namespace, "DAXLITE_SHARED_BUDGET": "5"}
    return found


@contextmanager
def running(command: list[str], directory: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A Python command for as long as the block runs. What it writes is shown where a test fails."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, leash, sys.executable, "-W", "error", *command],
            cwd=directory,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        assert process.stdin is not None
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait()
            log.seek(0)
            sys.stdout.write(log.read().decode(errors="replace"))


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
