"""The memo of expressions: what it keeps, and that its bound holds."""

import contextlib
import itertools
import random
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest

from daxlite.core.expressions.memo import ENTRY_BYTES, LARGEST_PART, MAX_BYTES, MEMO, Memo, size_of
from daxlite.core.expressions.pages import page_expressions
from daxlite.core.expressions.projections import projection_of, projection_of_attributes
from daxlite.core.expressions.updates import read_update
from tests.collector import held_off


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    MEMO.clear()
    yield
    MEMO.clear()


def test_what_is_kept_is_found() -> None:
    memo = Memo()
    value = ("a",)
    assert memo.get("key") is None
    assert memo.keep("key", value) is value
    assert memo.get("key") is value
    assert (len(memo), memo.bytes) == (1, ENTRY_BYTES + size_of("key", value))
    memo.clear()
    assert (memo.get("key"), len(memo), memo.bytes) == (None, 0, 0)


def test_a_full_memo_is_emptied() -> None:
    one = ENTRY_BYTES + size_of("key 000", "value")
    memo = Memo(max_bytes=one * 20)
    for number in range(20):
        memo.keep(f"key {number:03}", "value")
    assert (len(memo), memo.bytes) == (20, one * 20)
    memo.keep("key 020", "value")
    assert (len(memo), memo.bytes, memo.get("key 020")) == (1, one, "value")


def test_what_is_too_large_is_not_kept() -> None:
    memo = Memo(max_bytes=100_000)
    memo.keep("small", "value")
    large = "x" * (100_000 // LARGEST_PART)
    assert memo.keep("large", large) is large
    assert memo.keep(large, "value") == "value"
    assert (memo.get("large"), memo.get(large), memo.get("small")) == (None, None, "value")


def test_sizes_are_of_everything_within() -> None:
    shared = "shared text"
    by_name, numbers = {"name": shared}, {1: 2.5}
    inner = [shared, by_name, numbers]
    value = (shared, inner, frozenset({b""}))
    parts = [value, shared, inner, by_name, "name", numbers, 1, 2.5, value[2], b""]
    assert size_of(value) == sum(map(sys.getsizeof, parts))


def hostile(number: int) -> tuple[list[str], tuple[tuple[str, str]]]:
    """Attributes, and an alias of one more, that were never there before: few or many, with short or long names."""
    draw = random.Random(number)
    attributes = [f"a{number}_{place}" for place in range(draw.choice([1, 1, 5, 20, 150]))]
    return attributes, (("#n", f"name {number} " + "x" * draw.choice([0, 10, 1_000, 10_000])),)


def page(number: int) -> None:
    attributes, names = hostile(number)
    page_expressions("pk = :p", " OR ".join([f"{name} = :v" for name in ["#n", *attributes]]), None, names)


def projection(number: int) -> None:
    attributes, names = hostile(number)
    projection_of(", ".join(["#n.x[0]", *attributes]), names)


def legacy_projection(number: int) -> None:
    attributes, names = hostile(number)
    projection_of_attributes([names[0][1], *attributes])


def update(number: int) -> None:
    attributes, names = hostile(number)
    read_update("REMOVE #n SET " + ", ".join([f"{name} = :v" for name in attributes]), dict(names))


KINDS: list[Callable[[int], None]] = [page, projection, legacy_projection, update]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_estimate_is_no_less_than_what_is_allocated(kind: Callable[[int], None]) -> None:
    kind(0)
    MEMO.clear()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(200):
            kind(number)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(MEMO) == 200
    assert after - before <= MEMO.bytes


def test_ever_new_expressions_stay_within_the_bound() -> None:
    kinds = itertools.cycle(KINDS)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        emptied, last = 0, 0
        for number in range(1_000):
            next(kinds)(number)
            assert MEMO.bytes <= MAX_BYTES
            emptied += len(MEMO) < last
            last = len(MEMO)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert emptied >= 1
    assert peak - before < MAX_BYTES * 1.1


def test_threads_may_use_it_at_once() -> None:
    memo = Memo(max_bytes=100_000)
    wrong: list[object] = []

    def use(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(5_000):
            number = draw.randrange(2_000)
            found = memo.get(("n", number))
            if found is not None and found != (number, "x" * 50):
                wrong.append(found)
            if found is None:
                memo.keep(("n", number), (number, "x" * 50))

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert len(memo) * ENTRY_BYTES < 110_000


def interrupted(call: Callable[[], object], step: int, handler: Callable[[], object]) -> bool:
    """Run a call, and a handler before one step of the interpreter in `Memo`; returns whether there was such a step."""
    left = step

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_qualname not in ("Memo.keep", "Memo.clear"):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                handler()
        return trace

    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for a frame that asks for them at settrace alone
    with held_off():
        sys.settrace(trace)
        try:
            call()
        finally:
            sys.settrace(None)
    return left <= 0


def keep_another(memo: Memo) -> None:
    memo.keep("key 101", "value")


def stop(memo: Memo) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("entries", [0, 20], ids=["empty", "full"])
@pytest.mark.parametrize("handler", [keep_another, stop])
def test_a_signal_handler_may_use_it_and_may_raise_at_any_step(entries: int, handler: Callable[[Memo], None]) -> None:
    one = ENTRY_BYTES + size_of("key 000", "value")
    for step in itertools.count(1):
        memo = Memo(max_bytes=one * 20)
        for number in range(entries):
            memo.keep(f"key {number:03}", "value")
        was_interrupted = True
        with contextlib.suppress(KeyboardInterrupt):
            was_interrupted = interrupted(partial(memo.keep, "key 100", "value"), step, partial(handler, memo))
        if not was_interrupted:
            break
        for number in range(200, 241):
            assert memo.keep(f"key {number:03}", "value") == memo.get(f"key {number:03}") == "value"
            assert len(memo) * one <= memo.bytes + one <= (20 + 1) * one
    assert step > 20
