"""How much Python an operation runs, counted instead of timed: the same on any machine, however busy."""

import sys
from types import FrameType
from typing import Any, Final

from benchmarks.interleave import Call
from tests.collector import held_off

# What boto3 does around a call is its own business, and changes with its versions.
OTHERS: Final = ("/boto3/resources/", "/botocore/", "/benchmarks/", "/tests/")
WARM: Final = 20
"""Calls before the one that counts: what is done once is done."""


def work(call: Call) -> int:
    """Steps of Python's interpreter, and calls of functions written in C, that one call takes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if event == "call":
            path = frame.f_code.co_filename.replace("\\", "/")
            frame.f_trace_lines = False
            frame.f_trace_opcodes = not any(other in path for other in OTHERS)
        count += event == "opcode"
        return trace

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "c_call"

    for _ in range(WARM):
        call()
    # From Python 3.12 on, a function's steps are seen from the second time on that it is traced.
    for _ in range(2):
        count = 0
        with held_off():
            sys.settrace(trace)
            sys.setprofile(profile)
            try:
                call()
            finally:
                sys.setprofile(None)
                sys.settrace(None)
    return count
