"""Slots of a cluster: which one a command is for, and which server has it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from redis.crc import key_slot

from ..core.steps import Command

T = TypeVar("T")


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


def slot_of_key(key: str) -> int:
    """The slot of a key, which depends on what stands in its first braces, if anything does.

    >>> slot_of_key("{a}:state") == slot_of_key("{a}:value") == slot_of_key("a")
    True
    """
    return int(key_slot(key.encode()))


def slot_of(command: Command) -> int | None:
    """The slot of a command, by its first key; None where it has none, and any server will do.

    >>> slot_of(("GET", "a")) == slot_of(("EVALSHA", "0123", 1, "a", "argument"))
    True
    >>> slot_of(("EVAL", "return 1", 0)) is slot_of(("PING",)) is None
    True
    """
    if command[0] in ("EVAL", "EVALSHA"):
        return slot_of_key(command[3]) if command[2] else None
    return slot_of_key(command[1]) if len(command) > 1 else None


def by_slot(keys: Iterable[str]) -> list[list[str]]:
    """Keys, those of one slot together.

    >>> by_slot(["{a}1", "b", "{a}2"])
    [['{a}1', '{a}2'], ['b']]
    """
    groups: dict[int, list[str]] = {}
    for key in keys:
        groups.setdefault(slot_of_key(key), []).append(key)
    return [*groups.values()]


def by_key(groups: Iterable[Sequence[str]], values: Iterable[Sequence[T]]) -> dict[str, T]:
    """The values of keys that were asked for in groups.

    >>> by_key([["a", "b"], ["c"]], [[1, 2], [3]])
    {'a': 1, 'b': 2, 'c': 3}
    """
    asked = zip(groups, values, strict=True)
    return {key: value for group, found in asked for key, value in zip(group, found, strict=True)}


def primaries_of(reply: Any, asked: Address, reached: Callable[[Address], Address]) -> dict[int, Address]:
    """The primary of each slot, as CLUSTER SLOTS names them; those without a name are the one that was asked. reached:
    says where a server is reached from here."""
    found: dict[int, Address] = {}
    for first, last, (host, port, *_), *_replicas in reply:
        found |= dict.fromkeys(range(int(first), int(last) + 1), reached(named(host, port, asked)))
    return found


def named(host: Any, port: Any, asked: Address) -> Address:
    """An address as a server gives it: it may not know its own name."""
    text = host.decode() if isinstance(host, bytes) else host
    return Address(text if text and text != "?" else asked.host, int(port))
