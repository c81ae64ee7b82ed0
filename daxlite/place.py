"""Where code runs: in which task of asyncio, in which greenlet, or else in which thread.

What the application has not imported does not run, so nothing is imported here.
"""

import sys
from threading import get_ident
from typing import Any


def place() -> Any:
    """The task, the greenlet or the number of the thread in which the caller runs. A signal handler runs in the place
    that it interrupts."""
    return task_here() or greenlet_here() or get_ident()


def task_here() -> Any:
    """The task of asyncio in which the caller runs, if it does."""
    find = getattr(sys.modules.get("asyncio"), "current_task", None)
    try:
        return None if find is None else find()
    except RuntimeError:  # no loop runs in this thread
        return None


def goes_on_here(place: Any) -> bool:
    """Whether what runs in a place goes on only once the caller's thread is back in its event loop: it is a task there.
    A caller that blocks the thread would wait for it in vain."""
    find = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    loop = None if find is None else find()
    return loop is not None and hasattr(place, "get_loop") and place.get_loop() is loop


def has_stopped(place: Any) -> bool:
    """Whether a place is a task of an event loop that does not run, so that nobody knows when it goes on, if ever."""
    return hasattr(place, "get_loop") and not place.get_loop().is_running()


def greenlet_here() -> Any:
    """The greenlet in which the caller runs, if there are any."""
    find = getattr(sys.modules.get("greenlet"), "getcurrent", None)
    return None if find is None else find()
