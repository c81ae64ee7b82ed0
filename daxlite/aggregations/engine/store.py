"""Results in Redis, as steps: look one up, take stamps, save one, lock one."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from ...shared import stamps
from ...shared.envelope import Envelope
from ...shared.errors import CorruptValue
from ...shared.keyspace import Keyspace
from ...shared.outbox import Outbox
from ...shared.tags import result_tag
from ..capture.capture import Capture
from ..stats import FunctionCounters
from ..steps import Get, Run, Steps
from .near import Moment, NearCache
from .stored_result import StoredResult, packed, unpacked

# As many keys and tags are remembered, of what depends on what, so that the stamps can be asked for together with the
# result: some 20 MB. Only a hint.
MAX_HINTS: Final = 100_000

# Deletes a lock, or gives it a new life, if it still is the caller's.
_UNLOCK: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"
_RENEW: Final = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) else return 0 end"
)


class FoundResult(Struct, frozen=True):
    """A result that Redis has."""

    entry: StoredResult
    is_current: bool
    """Whether all of its tags have the stamps with which it was computed."""
    since: Moment
    """A moment before its stamps were looked at."""


class Hint(Struct, frozen=True):
    """What to ask Redis for."""

    tags: tuple[bytes, ...]
    names: tuple[str, ...]
    """Where the result stands, and the stamps of these tags."""


class Store:
    """The results of one namespace. Its methods are steps; all may raise Unavailable."""

    def __init__(self, keyspace: Keyspace, envelope: Envelope, near: NearCache, pending: Outbox) -> None:
        self.keyspace = keyspace
        self._envelope = envelope
        self._near = near
        self._outbox = pending
        self._hints: dict[bytes, Hint] = {}
        self._hinted = 0

    # Results

    def fetch(self, key: bytes, tags: tuple[bytes, ...], counters: FunctionCounters) -> Steps[FoundResult | None]:
        """The result, if there is one. `tags`: on what it depends in any case."""
        if len(self._outbox):
            yield from self._outbox.flush()  # what could not be invalidated before must not be found now
        # One that was found before will depend on about the same. Its stamps are asked for in the same round trip.
        hint = self._hints.get(key) or self._remember(key, tags)
        since = self._near.now()
        data, *values = yield Get(hint.names)
        if data is None:
            return None
        counters.add("bytes_read", len(data))
        try:
            entry = unpacked(self._envelope.unwrap(data, key))
        except CorruptValue:
            counters.add("corrupt")
            return None
        if entry.tags != hint.tags:
            seen: dict[bytes, bytes | None] = dict(zip(hint.tags, values, strict=True))
            if unseen := [tag for tag in entry.tags if tag not in seen]:
                seen.update(zip(unseen, (yield Get(tuple(map(self.keyspace.stamp, unseen)))), strict=True))
            values = [seen[tag] for tag in entry.tags]
            self._remember(key, entry.tags)
        # A result that was stored without a tag that is asked for now would not hear of it.
        is_current = entry.tags[: len(tags)] == tags and tuple(values) == entry.stamps
        if not is_current:
            counters.add("invalidations")
        return FoundResult(entry, is_current, since)

    def are_current(self, capture: Capture) -> Steps[bool]:
        """Whether nothing on which a computation depends has changed since it read it."""
        yield from self._outbox.flush()  # what could not be invalidated yet has changed
        found = yield Get(tuple(map(self.keyspace.stamp, capture.stamp_of)))
        return bool(found == list(capture.stamp_of.values()))

    def save(self, key: bytes, entry: StoredResult, seconds: float) -> Steps[int]:
        """Store a result for so long. Returns its size. Raises Unstorable if it is too large."""
        data = self._envelope.wrap(packed(entry), key)
        # The stamps first: whatever happens in between, no result outlives them.
        commands = stamps.keep(map(self.keyspace.stamp, entry.tags), seconds)
        yield Run((*commands, ("SET", self.keyspace.value(key), data, "PX", max(1, round(seconds * 1000)))))
        self._remember(key, entry.tags)
        return len(data)

    def invalidate(self, key: bytes) -> Steps[None]:
        """Make one result stale, and what is being computed of it."""
        yield from self._outbox.invalidate((result_tag(key),))

    # Stamps

    def take(self, capture: Capture, tags: Iterable[bytes]) -> Steps[None]:
        """Take the stamps of what a computation depends on, or may turn out to depend on."""
        wanted = list(dict.fromkeys(tags))
        fresh = [stamps.begun() for _ in wanted]
        replies = yield Run(tuple(stamps.take([*map(self.keyspace.stamp, wanted)], fresh)))
        capture.bring(dict(zip(wanted, stamps.taken(replies, fresh), strict=True)))

    def hint(self, key: bytes) -> tuple[bytes, ...]:
        """On what a result depended when it was last seen."""
        hint = self._hints.get(key)
        return () if hint is None else hint.tags

    def _remember(self, key: bytes, tags: tuple[bytes, ...]) -> Hint:
        # Single dictionary operations, which need no lock: it is only a hint.
        if self._hinted >= MAX_HINTS:
            self._hints, self._hinted = {}, 0
        known = self._hints.get(key)
        self._hinted += 1 + len(tags) if known is None else len(tags) - len(known.tags)
        hint = self._hints[key] = Hint(tags, (self.keyspace.value(key), *map(self.keyspace.stamp, tags)))
        return hint

    # Locks

    def lock(self, key: bytes, token: bytes, seconds: float) -> Steps[bool]:
        """Take the lock of a result, if nobody has it."""
        (reply,) = yield Run((("SET", self.keyspace.lock(key), token, "NX", "PX", round(seconds * 1000)),))
        return bool(reply)

    def renew(self, key: bytes, token: bytes, seconds: float) -> Steps[bool]:
        """Give a lock a new life. False if it is somebody else's by now."""
        name = self.keyspace.lock(key)
        (reply,) = yield Run((("EVAL", _RENEW, 1, name, token, round(seconds * 1000)),))
        return bool(reply)

    def unlock(self, key: bytes, token: bytes) -> Steps[None]:
        """Give a lock back, if it is still ours."""
        yield Run((("EVAL", _UNLOCK, 1, self.keyspace.lock(key), token),))
