"""`daxlite run`: becomes a command whose Python programs answer from a cache."""

import errno
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

HERE: Final = os.path.dirname(os.path.abspath(__file__))
NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""What a shell exits with where it cannot run a command."""


def environment(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of the command: with these settings, and `sitecustomize` of this directory first.

    >>> environment({"PYTHONPATH": "lib"}, {})["PYTHONPATH"].split(os.pathsep)[1:]
    ['lib']
    """
    before = environ.get("PYTHONPATH")
    # An empty path among others stands for the current directory.
    paths = [path for path in before.split(os.pathsep) if path != HERE] if before else []
    return {**environ, **settings, "PYTHONPATH": os.pathsep.join([HERE, *paths])}


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by a command, so that its signals and its exit status are the command's own."""
    try:
        if not command[0]:  # of which Python makes another error
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if sys.platform == "win32":  # where a process that replaces itself ends for those who wait for it
            done = subprocess.run([*command], env=dict(environ), check=False)  # noqa: S603 - what the user asked for
            raise SystemExit(done.returncode)
        os.execvpe(command[0], [*command], dict(environ))  # noqa: S606 - so was this
    except OSError as error:
        sys.stderr.write(f"daxlite run: {command[0]}: {error.strerror}\n")
        raise SystemExit(NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE) from None
