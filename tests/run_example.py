"""Runs an example as a user would, in a process of its own in which warnings are errors."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_example(
    name: str, dynamodb: str, *arguments: str, under: Sequence[str] = (), ignored: str | None = None
) -> tuple[str, str]:
    """What an example of this file name writes to stderr and to stdout. dynamodb: the URL of the server. under: what
    Python is to run, that runs Python with the example. ignored: a warning that is none of ours, as Python's option -W
    has it."""
    python = [sys.executable, "-W", "error", *(["-W", f"ignore{ignored}"] if ignored else [])]
    aws = {
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(
        [*python, *under, *(python if under else ()), str(EXAMPLES / name), *arguments],
        env={**os.environ, **aws, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stderr, done.stdout
