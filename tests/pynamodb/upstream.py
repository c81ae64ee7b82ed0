"""PynamoDB's own tests, plain and wrapped: `python -m tests.pynamodb.upstream PATH`.

PATH: a checkout of PynamoDB, of the version that is installed; PYNAMODB_SOURCE may name it. Each test must end in the
same way, with the same error if it fails, for no server for tests does all that these ask of it.
PYNAMODB_INTEGRATION_TEST_DDB_URL may name a server of one's own; unless it does, moto's is started. What PynamoDB's
tests need on top: `pip install pytest-env pytest-mock freezegun`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pynamodb

from daxlite.demo.server import embedded_server

HERE = Path(__file__).parent
SERVER = "PYNAMODB_INTEGRATION_TEST_DDB_URL"


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server without tables."""
    if SERVER in os.environ:
        yield os.environ[SERVER]
    else:
        with embedded_server() as url:
            yield url


def report(tests: Path, wrapped: str) -> Any:
    """How each test ended, and how often the cache answered. tests: a directory that holds PynamoDB's tests and nothing
    else. wrapped: "models", "everything", or nothing."""
    file = tests / "report.json"
    with server() as url:
        settings = {
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
            SERVER: url,
            "DAXLITE_UPSTREAM_REPORT": str(file),
            "DAXLITE_UPSTREAM_WRAPPED": wrapped,
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "upstream_plugin", "-p", "no:cacheprovider", "tests"]
        subprocess.run(command, cwd=tests, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, check=False)
    return json.loads(file.read_text().replace(url, "URL"))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(source: Path) -> int:
    version = pynamodb.__version__
    if version not in (source / "pynamodb" / "__init__.py").read_text():
        sys.exit(f"{source} is not PynamoDB {version}, which is installed")
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(source / "tests", Path(directory) / "tests")
        plain = report(Path(directory), "")["ended"]
        passed = sum(how == "passed in call" for how in plain.values())
        say(f"PynamoDB {version}: {len(plain)} tests, of which {passed} pass on this server")
        is_alike = passed > 0
        for wrapped in ("models", "everything"):
            found = report(Path(directory), wrapped)
            ended = found["ended"]
            differing = sorted(name for name in {*plain, *ended} if plain.get(name) != ended.get(name))
            for name in differing:
                say(f"{name}\n  plain:   {plain.get(name)}\n  wrapped: {ended.get(name)}")
            say(
                f"with {wrapped} wrapped, {len(plain) - len(differing)} end alike; "
                f"{found['hits']} reads were answered from the cache; {found['faults']} faults"
            )
            is_alike = is_alike and not differing and found["hits"] > 0
    return 0 if is_alike else 1


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) == 2 else os.environ.get("PYNAMODB_SOURCE")
    if path is None:
        sys.exit("usage: python -m tests.pynamodb.upstream PATH")
    sys.exit(main(Path(path)))
