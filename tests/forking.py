"""Checks that run in a child of this process."""

import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

PATIENCE = 10  # seconds after which a process or a thread counts as hanging


def in_child(check: Callable[[], Any]) -> None:
    """Fork, and fail unless the check passes in the child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)  # kills the child if it hangs
        end_child(check, writing)
    os.close(writing)
    with open(reading) as pipe:
        trouble = pipe.read()
    _, status = os.waitpid(child, 0)
    assert trouble == ""
    assert os.waitstatus_to_exitcode(status) == 0, "the child hung, or died"


def end_child(check: Callable[[], Any], writing: int) -> None:
    code = 1
    try:
        check()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing of pytest may run in the child
        os.write(writing, traceback.format_exc()[-4000:].encode())
    finally:
        os._exit(code)
