"""Virtual environments, each made anew from the package index."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
VENVS: Final = ROOT / ".matrix"


class InstallationError(Exception):
    """pip could not install what was asked for."""


def make(name: str, python: str, requirements: Sequence[str]) -> str:
    """The command of the Python of a new environment that has these requirements. Raises InstallationError."""
    home = VENVS / name
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(home)], check=True)
    command = str(home / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    pip = [command, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", *requirements]
    done = subprocess.run(pip, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallationError("\n".join([*done.stdout.splitlines(), *done.stderr.splitlines()][-20:]))
    return command


def versions(python: str, names: Sequence[str]) -> str:
    """Which of these packages an environment has, with their versions."""
    ask = (
        "import sys; from importlib.metadata import version, PackageNotFoundError\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, version(name), end='  ')\n"
        "    except PackageNotFoundError: pass"
    )
    return subprocess.run([python, "-c", ask, *names], capture_output=True, text=True, check=True).stdout.strip()
