"""Results in Redis, as steps: fetch a result, see that it is true, save a result, take a lock."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ...core.extents import Extent
from ...core.steps import Get, Run, Server, Steps
from ...shared.envelope import Envelope
from ...shared.errors import CorruptValue, Unavailable, Unstorable
from ...shared.keyspace import Keyspace
from ...shared.outbox import Outbox
from ...shared.scripts import keep, note, noted
from ...shared.states import is_low, is_open, top_if_true
from ...shared.tags import everything_of, result_tag
from ..capture.capture import ReadPart
from ..stats import FunctionCounters
from ..stored_result import StoredResult, pack, unpack
from .near import Moment, Near

MAX_EXPECTED: Final = 100_000
"""So many results and tags are remembered, of which result depends on which tags: some 20 MB."""

# Delete a lock, or renew it, if it still is the caller's.
UNLOCK: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"
RENEW: Final = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) else return 0 end"
)


class FoundResult(Struct, frozen=True):
    """A result that was found in Redis."""

    stored: StoredResult
    is_current: bool
    """Whether it has the tags that were asked for, and no change met what it covers."""
    since: Moment
    """A moment before its states were read."""


class ExpectedTags(Struct, frozen=True):
    """The tags that a result had when it was last seen. It will depend on about the same, so their states are asked for
    together with the result, in one round trip."""

    tags: tuple[bytes, ...]
    keys: tuple[str, ...]
    """The key of the result and those of the states of these tags."""


class Store:
    """The results of one namespace. Its methods are steps; all may raise Unavailable."""

    def __init__(self, keyspace: Keyspace, server: Server, envelope: Envelope, near: Near, outbox: Outbox) -> None:
        self.keyspace = keyspace
        self._server = server
        self._envelope = envelope
        self._near = near
        self._outbox = outbox
        self._expected: dict[bytes, ExpectedTags] = {}
        self._expected_count = 0

    # Results

    def fetch(self, key: bytes, tags: tuple[bytes, ...], counters: FunctionCounters) -> Steps[FoundResult | None]:
        """The result under a key, if there is one. tags: what it must depend on."""
        if len(self._outbox):
            yield from self._outbox.flush()  # what could not be invalidated before must not be found now
        expected = self._expected.get(key) or self._remember(key, tags)
        since = self._near.now()
        data, *values = yield Get(self._server, expected.keys)
        if data is None:
            return None
        counters.add("bytes_read", len(data))
        try:
            stored = unpack(self._envelope.unwrap(data, key))
        except CorruptValue:
            counters.add("corrupt")
            return None
        if stored.tags != expected.tags:
            seen: dict[bytes, bytes | None] = dict(zip(expected.tags, values, strict=True))
            if unseen := [tag for tag in stored.tags if tag not in seen]:
                more = yield Get(self._server, tuple(map(self.keyspace.state, unseen)))
                seen.update(zip(unseen, more, strict=True))
            values = [seen[tag] for tag in stored.tags]
            self._remember(key, stored.tags)
        # A result that was stored without a tag that is asked for now would not be invalidated with it.
        tops = yield from self._tops(dict(zip(stored.tags, values, strict=True)), stored.parts)
        if tops is not None and stored.has_tags(tags):
            renewed = replace(stored, tokens=tuple(tops.values()))
            if any(map(is_low, values, stored.tokens)):
                yield from self._save_again(key, renewed)
            return FoundResult(renewed, True, since)
        counters.add("invalidations")
        return FoundResult(stored, False, since)

    def tops(self, parts: Sequence[ReadPart]) -> Steps[dict[bytes, bytes] | None]:
        """The present top of each tag on which a computation depends; None if any of that has changed since it was
        read."""
        yield from self._outbox.flush()  # what could not be invalidated yet has changed
        tags = dict.fromkeys([part.tag for part in parts])
        found = yield Get(self._server, tuple(map(self.keyspace.state, tags)))
        return (yield from self._tops(dict(zip(tags, found, strict=True)), parts))

    def _tops(
        self, states: Mapping[bytes, bytes | None], parts: Iterable[tuple[bytes, bytes, Extent]]
    ) -> Steps[dict[bytes, bytes] | None]:
        """The top of each state, if all that was read is true as of these; else None."""
        tops: dict[bytes, bytes] = {}
        opened: list[tuple[bytes, bytes, Extent]] = []
        for tag, token, extent in parts:
            top = top_if_true(states[tag], token, extent)
            if top is not None:
                tops[tag] = top
            elif is_open(states[tag]):
                tops[tag] = b""  # in its place, until it is known
                opened.append((tag, token, extent))
            else:
                return None
        if not opened:
            return tops
        # A record in it may be past its deadline, which only Redis's own clock tells.
        tags = list(dict.fromkeys([tag for tag, _, _ in opened]))
        is_cluster = self._server.is_cluster
        replies = yield Run(self._server, tuple(note(self.keyspace, tags, 0.0, is_cluster=is_cluster)))
        try:
            now = noted(replies, tags, is_cluster=is_cluster)
        except CorruptValue:
            return None
        for tag, token, extent in opened:
            state = now[tag]
            if state is None or not state.shows_now(token, extent):
                return None
            tops[tag] = state.top
        return tops

    def save(self, key: bytes, stored: StoredResult, seconds: float) -> Steps[int]:
        """Store a result for so many seconds. Returns its size in bytes. Raises Unstorable if it is too large."""
        data = self._envelope.wrap(pack(stored), key)
        milliseconds = max(1, round(seconds * 1000))
        # The states first: if only a part of this is done, no result outlives its states.
        first = keep(self.keyspace, stored.tags, seconds)
        yield Run(self._server, (*first, ("SET", self.keyspace.value(key), data, "PX", milliseconds)))
        self._remember(key, stored.tags)
        return len(data)

    def _save_again(self, key: bytes, stored: StoredResult) -> Steps[None]:
        """Put a result with its present tokens in the place of the one that is there: some of the old ones are about to
        leave their logs. Its life does not become longer."""
        with suppress(Unavailable, Unstorable):  # it is as good without
            data = self._envelope.wrap(pack(stored), key)
            yield Run(self._server, (("SET", self.keyspace.value(key), data, "XX", "KEEPTTL"),))

    def invalidate(self, key: bytes) -> Steps[None]:
        """Make one result stale, and what is being computed of it."""
        yield from self._outbox.invalidate(everything_of((result_tag(key),)))

    # Expectations

    def expected_tags(self, key: bytes) -> tuple[bytes, ...]:
        """The tags that a result had when it was last seen."""
        expected = self._expected.get(key)
        return () if expected is None else expected.tags

    def _remember(self, key: bytes, tags: tuple[bytes, ...]) -> ExpectedTags:
        # Single dictionary operations need no lock, and a wrong expectation costs one more round trip.
        if self._expected_count >= MAX_EXPECTED:
            self._expected, self._expected_count = {}, 0
        known = self._expected.get(key)
        self._expected_count += 1 + len(tags) if known is None else len(tags) - len(known.tags)
        keys = (self.keyspace.value(key), *map(self.keyspace.state, tags))
        expected = self._expected[key] = ExpectedTags(tags, keys)
        return expected

    # Locks

    def lock(self, key: bytes, token: bytes, seconds: float) -> Steps[bool]:
        """Take the lock of a result for so many seconds. Returns whether it was free."""
        command = ("SET", self.keyspace.lock(key), token, "NX", "PX", round(seconds * 1000))
        (reply,) = yield Run(self._server, (command,))
        return bool(reply)

    def renew_lock(self, key: bytes, token: bytes, seconds: float, tags: Iterable[bytes] = ()) -> Steps[bool]:
        """Let a lock last for so many seconds from now, and the states of tags a while longer. Returns whether the lock
        is still the caller's."""
        renew = ("EVAL", RENEW, 1, self.keyspace.lock(key), token, round(seconds * 1000))
        is_ours, *_ = yield Run(self._server, (renew, *keep(self.keyspace, tags, seconds)))
        return bool(is_ours)

    def unlock(self, key: bytes, token: bytes) -> Steps[None]:
        """Release a lock, if it is still the caller's."""
        yield Run(self._server, (("EVAL", UNLOCK, 1, self.keyspace.lock(key), token),))
