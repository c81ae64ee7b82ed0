"""Install the DynamoDB-compatible servers that are not Python packages of the development environment.

``python tests/install_servers.py`` installs all of them, ``python tests/install_servers.py dynalite`` one. What is
already there is left alone: it costs nothing to run this before every test run. It all lands in the git-ignored
``.servers``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

SERVERS = Path(__file__).resolve().parents[1] / ".servers"

DYNALITE = "dynalite@4.0.0"
DYNALITE_COMMAND = SERVERS / "dynalite" / "node_modules" / "dynalite" / "cli.js"

# Its own environment: ministack pins botocore to one release, which is not the one under test.
MINISTACK = "ministack==1.5.33"
MINISTACK_PYTHON = SERVERS / "ministack" / ("Scripts" if os.name == "nt" else "bin") / "python"


def install_dynalite() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("dynalite needs node and npm, and npm is not on the PATH")
    home = SERVERS / "dynalite"
    home.mkdir(parents=True, exist_ok=True)
    quiet = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel", "error"]
    subprocess.run([npm, "install", "--prefix", str(home), *quiet, DYNALITE], check=True)


def install_ministack() -> None:
    home = SERVERS / "ministack"
    venv.create(home, with_pip=True)
    subprocess.run([str(MINISTACK_PYTHON), "-m", "pip", "install", "--quiet", MINISTACK], check=True)


INSTALLERS = {"dynalite": (DYNALITE, install_dynalite), "ministack": (MINISTACK, install_ministack)}


def install(name: str) -> None:
    """Install one server, unless the release that this suite is written for is there already."""
    release, installer = INSTALLERS[name]
    stamp = SERVERS / name / ".installed"
    if stamp.is_file() and stamp.read_text() == release:
        return
    shutil.rmtree(SERVERS / name, ignore_errors=True)
    installer()
    # Written last: an installation that was interrupted is begun again.
    stamp.write_text(release)


def main(names: list[str]) -> None:
    for name in names or INSTALLERS:
        if name not in INSTALLERS:
            raise SystemExit(f"{name!r} is not one of {', '.join(INSTALLERS)}")
        install(name)


if __name__ == "__main__":
    main(sys.argv[1:])
