"""Nothing outside the demo needs what Windows lacks."""

import subprocess
import sys

from tests.valkey import Valkey


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_items_are_read_written_and_answered_from_a_cache_without_what_windows_lacks(
    valkey: Valkey, namespace: str
) -> None:
    done = python("-m", "tests.without_posix", valkey.url, namespace)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


def test_a_module_that_needs_what_windows_lacks_would_be_found() -> None:
    for needs in ("import os; os.fork", "import signal; signal.SIGKILL", "import fcntl", "import select; select.poll"):
        done = python("-c", f"from tests.without_posix import become_windows; become_windows(); {needs}")
        assert done.returncode == 1, needs
