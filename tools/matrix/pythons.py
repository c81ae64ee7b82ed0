"""The Pythons of this machine: those on the PATH, and those that pyenv has."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

SUPPORTED: Final = ("3.11", "3.12", "3.13", "3.14")

_ASK: Final = "import sys; print('.'.join(map(str, sys.version_info[:2])))"


def find(version: str) -> str | None:
    """The command of a Python of this version, such as "3.12", or None if this machine has none."""
    for command in _candidates(version):
        if _version_of(command) == version:
            return command
    return None


def _candidates(version: str) -> Iterator[str]:
    for name in (f"python{version}", "python3", "python"):
        if command := shutil.which(name):
            yield command
    for root in _pyenv_roots():
        # The newest first: 3.12.10 comes after 3.12.9.
        homes = sorted((root / "versions").glob(f"{version}.*"), key=lambda home: _numbers(home.name), reverse=True)
        yield from (str(home / "bin" / "python") for home in homes)


def _pyenv_roots() -> Sequence[Path]:
    named = os.environ.get("PYENV_ROOT")
    return [Path(named)] if named else [Path.home() / ".pyenv"]


def _numbers(version: str) -> list[int]:
    """
    >>> _numbers("3.12.10") > _numbers("3.12.9")
    True
    """
    return [int(part) if part.isdigit() else -1 for part in version.split(".")]


def _version_of(command: str) -> str | None:
    """What it says that it is. A shim of pyenv's says nothing where pyenv does not use that version here."""
    try:
        asked = subprocess.run([command, "-c", _ASK], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
