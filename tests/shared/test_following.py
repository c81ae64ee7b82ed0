"""What stands in Redis of a table that is followed, on real servers and on models."""

from collections.abc import Sequence
from typing import Any

import pytest

from daxlite.core.echoes import Epoch
from daxlite.core.steps import Command
from daxlite.drivers.threads import ThreadDriver
from daxlite.shared.following import EPOCH_BYTES, Announcement, announce, announced, hold, questions
from tests.shared.script_bench import KEYSPACE, Bench

TABLE = b"\x01" * 8
KEY = KEYSPACE.follower(TABLE)


class Server:
    """As much of a server as `hold` needs."""

    is_cluster = False

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.threads = self.asyncio = self

    def run(self, commands: Sequence[Command], is_urgent: bool = False) -> list[Any]:
        assert is_urgent
        return [self.bench.client.execute_command(*command) for command in commands]

    def get(self, keys: Sequence[str]) -> Any:
        return self.bench.client.execute_command("MGET", *keys)


def of(number: int, id: int = 1, *, has_old: bool = True) -> Announcement:
    return Announcement(Epoch(bytes([number]) * EPOCH_BYTES, has_old), bytes([id]) * EPOCH_BYTES)


def held(bench: Bench, mine: Announcement, *, is_new: bool = False) -> tuple[Announcement, bool]:
    return ThreadDriver().drive(hold(Server(bench), KEYSPACE, TABLE, mine, 60.0, is_new=is_new))


def standing(bench: Bench) -> Announcement | None:
    ((command),) = questions(KEYSPACE, [TABLE])
    (data,) = bench.client.execute_command(*command)
    return announced(data)


class TestHold:
    def test_the_first_one_chooses_the_epoch(self, bench: Bench) -> None:
        assert held(bench, of(1)) == (of(1), False)
        assert held(bench, of(2)) == (of(1), False)
        assert standing(bench) == of(1)

    def test_an_epoch_that_has_ended_does_not_come_back(self, bench: Bench) -> None:
        """Another process begins a new one while this one makes the old one last longer."""
        held(bench, of(1))
        server, steps = Server(bench), hold(Server(bench), KEYSPACE, TABLE, of(2), 60.0, is_new=False)
        step: Any = next(steps)
        step = steps.send(server.run(step.commands, is_urgent=True))
        step = steps.send(server.get(step.keys))  # it has seen the old one
        assert held(bench, of(3), is_new=True) == (of(3), False)
        with pytest.raises(StopIteration):
            steps.send(server.run(step.commands, is_urgent=True))
        assert standing(bench) == of(3)

    def test_each_makes_it_last_longer(self, bench: Bench) -> None:
        held(bench, of(1))
        bench.client.execute_command("PEXPIRE", KEY, 1000)
        held(bench, of(2))
        assert bench.client.execute_command("PTTL", KEY) > 50_000

    def test_one_that_missed_something_begins_another_epoch(self, bench: Bench) -> None:
        held(bench, of(1))
        assert held(bench, of(2), is_new=True) == (of(2), False)
        assert held(bench, of(1)) == (of(2), False)

    @pytest.mark.parametrize("is_new", [False, True])
    def test_the_epoch_of_another_source_is_not_shared(self, bench: Bench, *, is_new: bool) -> None:
        held(bench, of(1, id=7))
        assert held(bench, of(2), is_new=is_new) == (of(2), True)
        assert standing(bench) == of(2)

    def test_nor_one_that_excuses_by_another_rule(self, bench: Bench) -> None:
        held(bench, of(1, has_old=False))
        assert held(bench, of(2)) == (of(2), False)

    def test_what_is_not_understood_is_none(self, bench: Bench) -> None:
        bench.client.execute_command("SET", KEY, b"\x63 a later release", "PX", 60_000)
        assert standing(bench) is None
        assert held(bench, of(1)) == (of(1), False)
        assert standing(bench) == of(1)


def test_an_announcement_takes_the_place_of_another_one(bench: Bench) -> None:
    for number in (1, 2):
        bench.client.execute_command(*announce(KEYSPACE, TABLE, of(number)))
        assert standing(bench) == of(number)
    assert 0 < bench.client.execute_command("PTTL", KEY) <= 60_000
