"""Interruptions: what a signal handler raises, at every moment at which Python lets one run."""

from __future__ import annotations

import dis
import linecache
import re
import sys
import threading
from collections.abc import Callable
from functools import cache
from types import CodeType, FrameType
from typing import Any

from daxlite.cache.lock import Lock
from tests.collector import held_off

INTERRUPTIBLE = re.compile(r"CALL(?!_INTRINSIC)|RESUME|JUMP_BACKWARD(?!_NO_INTERRUPT)")
"""The instructions after which Python lets signal handlers run."""

SECONDS = 5.0
"""How long a test waits for another thread, which never takes so long."""


class Limit(BaseException):
    """What a signal handler raises: a time limit, say, or Ctrl-C."""


def strike() -> None:
    """What happens at an interruption, unless a test says otherwise."""
    raise Limit


def interrupted(
    do: Callable[[], Any],
    concerns: Callable[[FrameType], bool],
    number: int,
    strike: Callable[[], None] = strike,
    errors: type[BaseException] = Limit,
) -> BaseException | None:
    """Do it, and raise Limit at the moment of this number of those at which Python lets a signal handler run in a frame
    that is concerned: as a function or a generator goes on, after a call, and where a loop goes round. None if there
    are fewer. strike: raises something else, of the type `errors`."""
    left = number
    last: dict[FrameType, str] = {}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        is_concerned = concerns(frame)
        if not is_concerned and frame not in last:
            return trace
        frame.f_trace_opcodes = True
        if event == "call":  # RESUME, unless an exception is thrown into a generator, such as by its end
            last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
        elif event == "opcode":
            # What a signal handler raises is raised by the instruction before this one.
            name = dis.opname[frame.f_code.co_code[frame.f_lasti]] if is_concerned else ""
            before, last[frame] = last.get(frame, ""), name
            if is_concerned and INTERRUPTIBLE.match(before) and _is_handled_alike(frame.f_code, frame.f_lasti):
                left -= 1
                if left == -1:
                    last.clear()  # it would keep the frames
                    strike()
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for a frame that asks for them at settrace alone
    with held_off():
        sys.settrace(trace)
        try:
            do()
        except errors as error:
            return error
        finally:
            sys.settrace(before)
    return None


@cache
def _is_handled_alike(code: CodeType, at: int) -> bool:
    """Whether an exception that is raised at this offset has the handler that it would have had an instruction earlier.
    After the last call within a `with` it has not: Python raises there what a signal handler raises, a tracer behind
    it."""
    before = max(each.offset for each in _instructions(code) if each.offset < at)
    handlers = [
        next((entry.target for entry in _handlers(code) if entry.start <= offset < entry.end), None)
        for offset in (before, at)
    ]
    return handlers[0] == handlers[1]


@cache
def _instructions(code: CodeType) -> tuple[dis.Instruction, ...]:
    return tuple(dis.get_instructions(code))


@cache
def _handlers(code: CodeType) -> tuple[Any, ...]:
    return tuple(dis._parse_exception_table(code))  # type: ignore[attr-defined]


def is_of_the_lock(frame: FrameType) -> bool:
    """Whether it enters or leaves a Lock, or is about to, or has just done so."""
    path = frame.f_code.co_filename
    return path == sys.modules[Lock.__module__].__file__ or "locked()" in linecache.getline(path, frame.f_lineno or 0)


def answers_elsewhere(do: Callable[[], Any]) -> bool:
    """Whether another thread gets through."""
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return not thread.is_alive()
