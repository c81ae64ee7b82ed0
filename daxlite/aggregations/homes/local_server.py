"""A server within this process: it takes the commands that an aggregation cache sends to Redis, and no others.

It keeps the same keys, with the same bytes. Where there is no room for more, what was not used for the longest time
goes: a state that is gone leaves what depended on it stale, as where Redis evicts.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from cachetools import LRUCache
from msgspec import Struct

from ...cache.lock import Lock, Reentered
from ...core.extents import EVERYTHING
from ...core.hidden import Hidden
from ...core.steps import Command
from ...shared.errors import Unavailable
from ...shared.lua import BUMP, NOTE
from ...shared.states import LogRecord, State, decode_state, encode_state, extent_at
from ..engine.store import RENEW, UNLOCK

OVERHEAD: Final = 500
"""Bytes that Python keeps for a key and what stands there, beside the bytes of both."""


class Kept(Hidden, Struct, frozen=True, gc=False):
    """What stands under a key."""

    data: bytes
    until: float
    """When it expires, by the server's clock."""


class LocalServer(Hidden):
    """Keys of this process, for threads; `asyncio` is the same for tasks, which it never suspends."""

    is_cluster: Final = False

    def __init__(self, max_bytes: int, clock: Callable[[], float]) -> None:
        """max_bytes: for keys, and what stands there. clock: seconds, never going back."""
        self.max_bytes = max_bytes
        self.clock = clock
        self.asyncio: Final = LocalServerOfTasks(self)
        self.begin()

    @property
    def threads(self) -> "LocalServer":
        """How threads reach it."""
        return self

    def begin(self) -> None:
        """Start empty, as a new process does after a fork."""
        self._lock = Lock(suspend=lambda: None, recover=self._drop_all)
        self._drop_all()

    def _drop_all(self) -> object:
        """Keep nothing of what was there. Returns it, to be let go outside of the lock."""
        dropped = getattr(self, "kept", None)
        self.kept: LRUCache[str, Kept] = LRUCache(self.max_bytes, getsizeof=size_of)
        """What expires goes when there is no room for more, as everything does."""
        return dropped

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under these keys. Raises Unavailable within another command of this thread's."""
        return self._take(self._get, keys)  # type: ignore[no-any-return]

    def run(self, commands: Sequence[Command], is_urgent: bool = False) -> list[Any]:
        """The replies to commands. Raises Unavailable, as `get`."""
        return self._take(self._run, commands)  # type: ignore[no-any-return]

    def size(self, is_counted: Callable[[str], bool]) -> tuple[int, int]:
        """How many keys are such, and the bytes of all."""
        with self._lock.to_read():
            return sum(map(is_counted, [*self.kept])), int(self.kept.currsize)

    def close(self) -> None:
        """Drop everything, and keep nothing any more."""
        with suppress(Unavailable):
            self._take(lambda _: self.stop(), ())

    def stop(self) -> None:
        """The same for a caller after whom there is no other one. Takes no lock."""
        self.max_bytes = 0
        self._drop_all()

    def _take(self, do: Callable[[Any], Any], argument: Any) -> Any:
        try:
            with self._lock.locked():
                try:
                    return do(argument)
                except BaseException:  # of a signal handler's: something may be half written
                    self._lock.doubt()
                    raise
        except Reentered:
            raise Unavailable from None

    def _get(self, keys: Sequence[str]) -> list[bytes | None]:
        now, found = self.clock(), map(self.kept.get, keys)
        return [None if kept is None or now >= kept.until else kept.data for kept in found]

    def _run(self, commands: Sequence[Command]) -> list[Any]:
        return [_COMMANDS[name](self, *rest) for name, *rest in commands]

    def find(self, key: str) -> Kept | None:
        """What stands under a key, if it has not expired."""
        kept = self.kept.get(key)
        return None if kept is None or self.clock() >= kept.until else kept

    def put(self, key: str, data: bytes, until: float) -> None:
        """Have something stand under a key, if there is room for it at all."""
        self.kept.pop(key, None)
        with suppress(ValueError):  # it is larger than everything may be
            self.kept[key] = Kept(data, until)

    def end_of(self, milliseconds: int, known: Kept | None = None) -> float:
        """The moment in so many milliseconds. known: what is to last no shorter than it does already."""
        until = self.clock() + milliseconds / 1000
        return until if known is None else max(until, known.until)


class LocalServerOfTasks(Hidden):
    """The same for asyncio."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """As LocalServer.get."""
        return self._server.get(keys)

    async def run(self, commands: Sequence[Command], is_urgent: bool = False) -> list[Any]:
        """As LocalServer.run."""
        return self._server.run(commands)


def size_of(kept: Kept) -> int:
    """The bytes that it takes, with its key."""
    return len(kept.data) + OVERHEAD


# Commands


def _set(server: LocalServer, key: str, data: bytes, *options: Any) -> bool:
    known = server.find(key)
    if ("NX" in options and known is not None) or ("XX" in options and known is None):
        return False
    is_as_long = "KEEPTTL" in options and known is not None
    server.put(key, data, known.until if known is not None and is_as_long else server.end_of(options[-1]))
    return True


def _pexpire(server: LocalServer, key: str, milliseconds: int, option: str) -> bool:
    """With GT: never sooner than before."""
    known, until = server.find(key), server.end_of(milliseconds)
    if known is None or until <= known.until:
        return False
    server.put(key, known.data, until)
    return True


def _eval(server: LocalServer, script: str, count: int, *rest: Any) -> Any:
    return _SCRIPTS[script](server, rest[:count], *rest[count:])


_COMMANDS: Final[Mapping[str, Callable[..., Any]]] = {"SET": _set, "PEXPIRE": _pexpire, "EVAL": _eval}


# Scripts; see `shared/lua.py` and `store.py`


def _note(server: LocalServer, keys: Sequence[str], life: int, *tokens: bytes) -> list[Any]:
    now, found = server.clock(), []
    for key, token in zip(keys, tokens, strict=True):
        known = server.find(key)
        data = encode_state(State(now, True, (LogRecord(token, 0.0, EVERYTHING),))) if known is None else known.data
        server.put(key, data, server.end_of(life, known))
        found.append(data)
    return [*divmod(round(now * 1_000_000), 1_000_000), *found]


def _bump(server: LocalServer, keys: Sequence[str], life: int, most: int, *parts: Any) -> int:
    now = server.clock()
    for place, key in enumerate(keys):
        token, extent, _ = parts[3 * place : 3 * place + 3]
        known = server.find(key)
        log = () if known is None else _log(decode_state(known.data))
        log = (LogRecord(token, now, extent_at(extent, 0)[0]), *log)[:most]
        server.put(key, encode_state(State(now, False, log)), server.end_of(life, known))
    return 1


def _log(state: State) -> tuple[LogRecord, ...]:
    """The log of a state. What was made from nothing may have forgotten a change of anything, made until then."""
    *newer, oldest = state.log
    return (*newer, LogRecord(oldest.token, state.since, oldest.extent)) if state.is_young else state.log


def _unlock(server: LocalServer, keys: Sequence[str], token: bytes) -> int:
    is_held = _is_held(server, keys[0], token)
    if is_held:
        server.kept.pop(keys[0], None)
    return int(is_held)


def _renew(server: LocalServer, keys: Sequence[str], token: bytes, milliseconds: int) -> int:
    is_held = _is_held(server, keys[0], token)
    if is_held:
        server.put(keys[0], token, server.end_of(milliseconds))
    return int(is_held)


def _is_held(server: LocalServer, key: str, token: bytes) -> bool:
    kept = server.find(key)
    return kept is not None and kept.data == token


_SCRIPTS: Final[Mapping[str, Callable[..., Any]]] = {NOTE: _note, BUMP: _bump, UNLOCK: _unlock, RENEW: _renew}
