"""Runs the workload through both clients alternately."""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from daxlite.demo.measure import Lane
from daxlite.demo.settings import Response
from daxlite.demo.workload import PlannedCall

BLOCK = 40

Pair = Callable[[PlannedCall, Response, Response], None]


def alternate(
    raw: Lane,
    wrapped: Lane,
    operations: Sequence[PlannedCall],
    seed: int,
    on_pair: Pair,
    advance: Callable[[int], None],
) -> None:
    """Run all operations in both lanes, in order, block by block; which lane goes first is random for each block.

    If one client ran after the other, a disturbance of the machine for a minute would slow down only one of them. The
    answers of a block are passed to `on_pair` outside the measured time.
    """
    rng = Random(seed)
    for block in blocks(operations, BLOCK):
        order = [raw, wrapped]
        rng.shuffle(order)
        answers = {id(lane): [lane.call(operation) for operation in block] for lane in order}
        for operation, left, right in zip(block, answers[id(raw)], answers[id(wrapped)], strict=True):
            on_pair(operation, left, right)
        advance(len(block))


def blocks(operations: Sequence[PlannedCall], size: int) -> Iterator[Sequence[PlannedCall]]:
    """Slices of this size, the last one shorter.

    >>> [list(block) for block in blocks("abcde", 2)]
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    for start in range(0, len(operations), size):
        yield operations[start : start + size]
