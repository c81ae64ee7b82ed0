"""A write may be interrupted at every moment, also between its begin and its finish: nothing older is served then."""

import gc

import pytest

from daxlite.shared.tags import EVERYTHING
from tests.calls.test_interruptions import is_daxlites
from tests.interrupting import interrupted
from tests.shared.fleet import RECORD, Fleet, Member
from tests.volume import is_short


@pytest.mark.usefixtures("no_collection")
def test_p7_an_interruption_at_any_moment_leaves_the_tier_true_and_the_namespace_alone() -> None:
    number, step = 0, 12 if is_short() else 1
    while interrupt(number):
        number += step
    assert number > 100, "it was interrupted at some moments at least"


def interrupt(number: int) -> bool:
    """Interrupt a write at the moment of this number; whether there was one."""
    fleet = Fleet()
    writer, other = fleet.member(), fleet.member()
    settle(fleet, writer, other)
    # The error is not kept: its traceback would keep the write, which would be renewed for an hour.
    is_interrupted = interrupted(lambda: writer.put(1), is_daxlites, number) is not None
    gc.collect(0)
    writer.turn()
    told = {tag for message in fleet.deliver() for tag in message.changed}
    assert EVERYTHING not in told, number
    assert fleet.dynamodb.item is not None
    for _ in range(2):
        assert other.get() == writer.get() == fleet.dynamodb.item["v"]["N"], number
        fleet.clock.advance(RECORD + 1)
        writer.turn()
        fleet.deliver()
    assert fleet.open_records() == 0
    assert not len(writer.outbox)
    assert not writer.tier.upkeep.is_needed
    return is_interrupted


def settle(fleet: Fleet, *members: Member) -> None:
    for _ in range(2):
        assert [member.get() for member in members] == ["0"] * len(members)
        fleet.clock.advance(20)
