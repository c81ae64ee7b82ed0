"""Whether daxlite works on each Python that this machine has, and beside each package that programs have beside it.

    python -m tools.matrix                             all of it: an hour
    python -m tools.matrix --only neighbours           the packages alone: minutes
    python -m tools.matrix --only pythons --python 3.13 tests/cache -x    a part of the tests, on one Python

Each check has a virtual environment of its own below .matrix. Exits with 1 if one of them fails. A Python that this
machine has not is named, and is no failure.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tools.matrix import pythons, venvs
from tools.matrix.neighbours import NEIGHBOURS
from tools.matrix.venvs import ROOT

SHOWN: Final = ("boto3", "botocore", "aioboto3", "aiobotocore", "wrapt", "pynamodb", "aws-lambda-powertools")


class Result(NamedTuple):
    """A row of what is printed at the end."""

    what: str
    state: str
    """"ok", "failed" or "not found"."""
    detail: str = ""


def on_pythons(versions: Sequence[str], tests: Sequence[str]) -> Iterator[Result]:
    """Run the tests on each of these versions. tests: arguments for pytest; all of the tests unless given."""
    for version in versions:
        python = pythons.find(version)
        if python is None:
            yield Result(f"Python {version}", "not found")
            continue
        try:
            made = venvs.make(f"python-{version}", python, ("--editable", ".[dev]"))
        except venvs.InstallationError as error:
            yield Result(f"Python {version}", "failed", str(error))
            continue
        began = time.monotonic()
        command = [made, "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q", *tests]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        state = "failed" if status else "ok"
        yield Result(f"Python {version}", state, f"the tests took {time.monotonic() - began:.0f} s")


def beside_neighbours() -> Iterator[Result]:
    """Install daxlite together with each of its neighbours, and read an item twice."""
    for neighbour in NEIGHBOURS:
        what = f"beside {neighbour.name}"
        name = neighbour.name.replace(" ", "-")
        try:
            python = venvs.make(name, sys.executable, (str(ROOT), *neighbour.requirements))
        except venvs.InstallationError as error:
            yield Result(what, "failed", str(error))
            continue
        smoke = [python, "-P", str(ROOT / "tools" / "matrix" / "smoke.py"), neighbour.way]
        done = subprocess.run(smoke, cwd=venvs.VENVS, capture_output=True, text=True, timeout=120, check=False)
        detail = venvs.versions(python, SHOWN) if done.returncode == 0 else f"{done.stdout}{done.stderr}".strip()
        yield Result(what, "failed" if done.returncode else "ok", detail)


def main(arguments: list[str] | None = None) -> int:
    """Check what the command line names. Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=("pythons", "neighbours"), help="one half of it")
    parser.add_argument("--python", action="append", choices=pythons.SUPPORTED, help="one version; may be repeated")
    parser.add_argument("tests", nargs="*", help="arguments for pytest")
    chosen, more = parser.parse_known_args(arguments)
    results: list[Result] = []
    if chosen.only != "pythons":
        results += map(_said, beside_neighbours())
    if chosen.only != "neighbours":
        results += map(_said, on_pythons(chosen.python or pythons.SUPPORTED, [*chosen.tests, *more]))
    print()
    for result in results:
        print(f"{result.state:10} {result.what}")
    return any(result.state == "failed" for result in results)


def _said(result: Result) -> Result:
    """Print it now, since the next one takes minutes."""
    print(f"{result.what}: {result.state}  {result.detail}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
