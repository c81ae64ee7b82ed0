"""Which errors are those of the application's signal handlers."""

import signal
import traceback
from types import CodeType
from typing import Any


def raised_by_a_signal_handler(error: BaseException, outer: BaseException | None = None) -> BaseException | None:
    """What a signal handler of the application raised, where an error is that, or where redis-py made the error of it:
    it takes a TimeoutError or an OSError for the socket's. None for all other errors.

    outer: what was being handled already when the command began.
    """
    codes = {code for code in map(_code_of, _handlers()) if code is not None}
    seen: BaseException | None = error
    while codes and seen is not None and seen is not outer:
        if any(frame.f_code in codes for frame, _ in traceback.walk_tb(seen.__traceback__)):
            return seen
        seen = seen.__context__
    return None


def _handlers() -> list[Any]:
    return [signal.getsignal(number) for number in signal.valid_signals()]


def _code_of(handler: Any) -> CodeType | None:
    if not callable(handler):  # one of signal's numbers, or None
        return None
    function = getattr(handler, "__func__", handler)
    code = getattr(function, "__code__", None) or getattr(type(handler).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None
