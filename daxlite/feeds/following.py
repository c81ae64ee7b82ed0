"""Follows the stream of one table, as steps: reads it, applies what it tells, and keeps its place.

    describe the table --> take the place of the checkpoint, or the end --> read, apply, keep the place ... --> stop

A gap is lost knowledge: everything that depended on the table is dropped, at both levels, and the gap is counted and
logged once, with its length. So is a stream that ends because the table was made anew, and goes on in that one's.
"""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct, field

from ..core.hidden import Hidden
from ..core.steps import Call, Steps, Wait
from ..latch import Latch
from ..shared.errors import Unavailable
from .announcing import Announcer
from .applying import Applier
from .checkpointing import SAVE_EVERY, Checkpoints
from .described import DESCRIBE_EVERY, LOOK_AGAIN, MISSING, FollowedTable
from .errors import EndedError, FeedError, StreamMissingError, code_of
from .stats import FeedCounts
from .streams.asks import THROTTLED
from .streams.events import Ended, Event, Gap, Records, Trouble
from .streams.reader import Ask, Start, StreamReader
from .troubles import Troubles

_logger: Final = logging.getLogger("daxlite")

NOT_READ_FOR: Final = 120.0
"""Seconds after which it is an error that a stream cannot be read."""


class Settings(Struct, frozen=True):
    """How to follow."""

    start: Start = "latest"
    """Where to begin without a checkpoint."""
    poll: float = 1.0
    """Seconds between two reads of a shard that has nothing new."""
    needs_checkpoint: bool = True
    """Whether it is a gap that there is no checkpoint."""
    is_patient: bool = True
    """Whether to wait for a stream where there is none any more; else the feed ends, with an error."""
    needs_tier: bool = False
    """Whether to raise Unavailable where the shared tier cannot be read or written to at the beginning."""
    describe_every: float = DESCRIBE_EVERY
    """Seconds after which the table is described again. An index that is added is listed long before it can be
    queried."""
    look_again: float = LOOK_AGAIN
    """Seconds after which a table without a stream, or that is not there, is looked at again."""


class Source(Hidden, Struct, frozen=True):
    """What a feed is given from outside."""

    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    random: Callable[[], float]
    """Numbers from 0 to 1."""
    new_bytes: Callable[[int], bytes]
    """Random bytes, never the same twice."""
    may_filter: bool = True
    """Whether DescribeStream takes a ShardFilter."""
    stop: Latch = field(default_factory=Latch)
    """Opened, it ends the feed."""


class TableFeed:
    """The feed of one table."""

    def __init__(self, table: FollowedTable, counts: FeedCounts, settings: Settings, source: Source) -> None:
        self._table = table
        self._counts = counts
        self._settings = settings
        self._source = source
        self._applier = Applier(table, counts, source.wall_clock, self._lose_since)
        self._announcer = Announcer(table, source.clock, source.new_bytes)
        self._checkpoints = Checkpoints(table, source.clock, source.wall_clock, needs_tier=settings.needs_tier)
        self.stop = source.stop
        self.error: Exception | None = None
        """Why the feed has ended, or cannot go on; None if all is well."""
        self._reader: StreamReader
        self._described_at = -math.inf
        self._troubles = Troubles(table.name, source.clock)

    # To begin

    def begin(self) -> Steps[None]:
        """Take the place: what changes from here on is heard of. Raises StreamMissingError where there is no stream,
        and DynamoDB's errors."""
        stream = yield from self._describe()
        checkpoint, reason, is_lost = yield from self._checkpoints.load()
        if checkpoint is not None and checkpoint.stream == stream:
            self._announcer.epoch_id = checkpoint.epoch
            self._open(stream, "trim_horizon", checkpoint.positions, checkpoint.saved_at)
        else:  # a stream that is new since the checkpoint is read from its beginning
            self._open(stream, self._settings.start if checkpoint is None else "trim_horizon")
        yield from self._hold_place()
        if not self._reader.has_begun:
            raise EndedError(f"the feed of {self._table.name} was told to end before it had begun")
        if checkpoint is None or checkpoint.stream != stream or checkpoint.made != self._table.made:
            # Only now: what changes between the two would be missed otherwise.
            is_gap = is_lost or (self._settings.needs_checkpoint and self._table.tier is not None)
            yield from self._lose(Gap(reason, None if checkpoint is None else checkpoint.saved_at), is_counted=is_gap)
        yield from self._announce()
        if self._settings.needs_tier:
            yield from self._save(is_now=True)
            if not self._checkpoints.is_saved and not self.stop.is_open:
                raise Unavailable(RuntimeError("the place in the stream could not be kept there"), is_of_writes=True)

    def _describe(self) -> Steps[str]:
        """The ARN of the table's stream."""
        self._described_at = self._source.clock()
        name = self._table.name
        try:
            yield from self._table.describe()
        except Exception as error:
            if code_of(error) in MISSING:
                raise StreamMissingError(f"there is no table {name}") from None
            raise
        self._troubles.worked("DescribeTable")
        if self._table.stream is None:
            raise StreamMissingError(
                f"{name} has no stream; enable one, best with StreamViewType NEW_AND_OLD_IMAGES (UpdateTable)"
            )
        return self._table.stream

    def _open(
        self, stream: str, start: Start, positions: Mapping[str, str] | None = None, saved_at: float | None = None
    ) -> None:
        source = self._source
        self._reader = StreamReader(
            stream,
            clock=source.clock,
            wall_clock=source.wall_clock,
            random=source.random,
            start=start,
            positions=positions,
            saved_at=saved_at,
            poll=self._settings.poll,
            may_filter=source.may_filter,
        )

    def _hold_place(self) -> Steps[None]:
        """Take the place at the end of each shard that is read from there."""
        while not self._reader.has_begun and not self.stop.is_open:
            due = self._reader.due()
            if isinstance(due, float):
                yield Wait(self.stop, due)
            else:
                yield from self._ask(due, is_first=True)

    # To go on

    def follow(self) -> Steps[None]:
        """Read and apply until `stop` is opened, or the stream is gone for good. At the end, keep the place."""
        while not self.stop.is_open and (self._settings.is_patient or not self._is_stream_lost):
            due = self._reader.due()
            if isinstance(due, float):
                yield Wait(self.stop, min(due, SAVE_EVERY))
            else:
                yield from self._ask(due)
            yield from self._keep_up()  # which may go on in another stream, so nothing is asked before the next due
        yield from self.keep_place()

    def keep_place(self) -> Steps[None]:
        """Write the checkpoint, as far as what was read has taken effect. Also the last steps of a feed that was
        interrupted anywhere in `follow`."""
        yield from self._save(is_now=True)

    def _ask(self, ask: Ask, *, is_first: bool = False) -> Steps[None]:
        """Send a request, and see to what follows from its reply."""
        reader = self._reader
        try:
            response = yield Call(ask.operation, ask.params)
            events = reader.replied(ask, response)
        except Exception as error:  # throttled, unreachable, refused: the reader knows what to do
            if self.stop.is_open:
                return
            events = reader.failed(ask, code_of(error))
            if is_first and any(isinstance(event, Trouble) and not event.is_throttling for event in events):
                raise  # the caller is there to see it
        else:
            self._troubles.worked(ask.operation)
            if ask.operation == "GetRecords" and not self._is_stream_lost:
                self.error = None
        if is_first and any(isinstance(event, Ended) for event in events):
            raise StreamMissingError(f"the stream of {self._table.name} is gone, or has ended")
        for event in events:
            yield from self._take(reader, event)
        self._counts.shards = self._reader.shards
        reached = self._reader.reached()
        if reached is not None:
            self._counts.at = reached

    def _take(self, reader: StreamReader, event: Event) -> Steps[None]:
        match event:
            case Records():
                try:
                    yield from self._applier.apply_raw(event.records)
                except Exception as error:  # noqa: BLE001 - a fault of daxlite's: what these records told is lost
                    self._table.context.cache.fault(error)
                    yield from self._lose_since("a fault in daxlite")
                reader.applied(event)  # what was lost was told, so it is not read again
            case Gap():
                yield from self._lose(event)
            case Ended(is_gone):
                yield from self._move_on(is_gone=is_gone)
            case Trouble():
                self._note_trouble(event.operation, event.code, is_throttling=event.is_throttling)

    def _lose(self, gap: Gap, *, is_counted: bool = True) -> Steps[None]:
        """Drop everything of the table: changes of it may have been missed."""
        name, now = self._table.table.id.name, self._source.wall_clock()
        self._announcer.begin_epoch()
        self._applier.epoch = self._announcer.believed
        if is_counted:
            self._counts.gaps += 1
            length = "" if gap.since is None else f", of at most {max(0.0, now - gap.since):,.0f} seconds"
            _logger.warning(
                "a gap in the changes of %s%s: %s; what depended on it is dropped", name, length, gap.reason
            )
        yield from self._table.flush()

    def _lose_since(self, reason: str) -> Steps[None]:
        """The same, of what happened since the moment until which all was read."""
        yield from self._lose(Gap(reason, self._reader.reached()))

    def drop_all(self) -> Steps[None]:
        """The feed has failed, and goes on no more: drop everything of the table."""
        yield from self._lose(Gap("a fault in daxlite"))

    def _move_on(self, *, is_gone: bool = False, is_other: bool = False) -> Steps[None]:
        """The stream has ended, or was not found: look for the next one, or go on where it was. is_other: the table was
        made anew."""
        before, positions, reached = self._reader.arn, self._reader.positions(), self._reader.reached()
        looks = 0
        while not self.stop.is_open:
            try:
                stream = yield from self._describe()
            except StreamMissingError as error:
                yield from self._lose_stream(error)
                if not self._settings.is_patient:
                    return
            except Exception as error:  # noqa: BLE001 - throttled, unreachable, forbidden: it is asked again
                self._note_trouble("DescribeTable", code_of(error))
                if self.error is None:
                    yield from self._lose_stream(
                        FeedError(f"whether there is another one is not told: {code_of(error)}")
                    )
            else:
                if stream != before or is_other or self._table.was_made_anew:
                    self.error = None
                    self._open(stream, "trim_horizon")
                    yield from self._lose(Gap("the table has another stream", reached))
                    return
                if is_gone and looks:  # it is there, whatever was said
                    self.error = None
                    self._open(stream, "trim_horizon", positions, reached)
                    return
            looks += 1
            yield Wait(self.stop, self._settings.look_again)

    def _lose_stream(self, error: FeedError) -> Steps[None]:
        """Nothing is heard of any more."""
        is_known = self.error is not None
        self.error = error
        if not is_known:
            _logger.error("the changes of %s are not heard of any more: %s", self._table.name, error)
            yield from self._lose_since("the stream has ended")

    @property
    def _is_stream_lost(self) -> bool:
        return isinstance(self.error, StreamMissingError)

    # What has to be done now and then

    def _keep_up(self) -> Steps[None]:
        """Keep the place, announce, describe, each if it is time."""
        now = self._source.clock()
        if now - self._described_at >= self._settings.describe_every:
            yield from self._look_at_table()
        if self._announcer.is_due:
            yield from self._announce()
        if self._checkpoints.is_due:
            yield from self._save()

    def _announce(self) -> Steps[None]:
        yield from self._announcer.announce()
        self._applier.epoch = self._announcer.believed

    def _save(self, *, is_now: bool = False) -> Steps[None]:
        yield from self._checkpoints.save(self._reader, self._announcer.epoch_id, is_now=is_now)

    def _look_at_table(self) -> Steps[None]:
        try:
            stream = yield from self._describe()
        except StreamMissingError:
            pass
        except Exception as error:  # noqa: BLE001 - throttled, unreachable: it is asked again
            self._note_trouble("DescribeTable", code_of(error))
            return
        else:
            if stream == self._reader.arn and not self._table.was_made_anew:
                return
        # What the stream still has happened before this moment, at which all is dropped: it need not be read.
        yield from self._move_on(is_gone=True, is_other=self._table.was_made_anew)

    def leave(self) -> None:
        """Tell the writers of this process that no records are read any more, however the feed has ended."""
        self._announcer.leave()

    def _note_trouble(self, operation: str, code: str, *, is_throttling: bool | None = None) -> None:
        """Count a request that failed. One that fails for long is an error, which ends once it works again."""
        if self.stop.is_open:  # it did not fail: its reply is not waited for
            return
        is_throttling = code in THROTTLED if is_throttling is None else is_throttling
        self._counts.throttled += is_throttling
        self._counts.failures += not is_throttling
        self._troubles.failed(operation, code, is_throttling=is_throttling)
        if operation == "GetRecords" and self.error is None and self._troubles.lasts(operation) >= NOT_READ_FOR:
            self.error = FeedError(f"the stream of {self._table.name} cannot be read: {code}")
