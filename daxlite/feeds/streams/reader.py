"""Reads a stream: which request is due, and what follows from its reply. It does no I/O and has no clock of its own.

    due()       the request to be sent now, or the seconds until there is one
    replied()   what its response tells: records, gaps, the end of the stream
    failed()    what its error tells
    applied()   the records that were told have taken effect: from here on a restart begins behind them
    rewind()    they have not: they are told again

Rules, each of which a well-known reader lacked: a child is read after its parents, from its beginning even if its
parent was followed from the end on; a parent that is gone counts as done; a shard that is not listed is asked for
again before it counts as lost; an iterator that has expired is replaced at the position, never at the end; data that
was trimmed is a gap, which is told.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from .asks import REFUSED, SPACING, THROTTLED, Ask, backed_off
from .descriptions import Descriptions, Listing
from .events import Ended, Event, Gap, Records, Trouble
from .progress import ABSENCES, TRIMMED, Progress, Start
from .reading import Reading, moment_of, sequence_of

__all__ = ["SPACING", "Ask", "Start", "StreamReader"]

CONFIRMATIONS: Final = ABSENCES
"""A stream is over if so many listings in a row show nothing that is still to be read."""
PATIENCE: Final = 5
"""An iterator is given up after so many failures in a row."""


class StreamReader:
    """Reads one stream.

    >>> reader = StreamReader("arn", clock=lambda: 0.0, wall_clock=lambda: 0.0, random=lambda: 0.5)
    >>> reader.due().operation
    'DescribeStream'
    """

    def __init__(
        self,
        arn: str,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        random: Callable[[], float],
        start: Start = "latest",
        positions: Mapping[str, str] | None = None,
        saved_at: float | None = None,
        poll: float = 1.0,
        may_filter: bool = True,
    ) -> None:
        """positions: those of a checkpoint, and when it was saved; start: where to begin without one. poll: seconds
        between two reads of a shard that has nothing new. may_filter: whether DescribeStream takes a ShardFilter."""
        self.arn = arn
        self._clock, self._wall_clock, self._random = clock, wall_clock, random
        self._start: Start = start
        self._poll = max(poll, SPACING)
        self._progress = Progress(clock, wall_clock, positions, saved_at)
        self._graph, self._readings = self._progress.graph, self._progress.readings
        self._descriptions = Descriptions(arn, clock, random, may_filter=may_filter)
        self._ends = 0
        """So many listings in a row showed a stream that is over."""
        self._is_over = False

    # What there is to know

    @property
    def has_begun(self) -> bool:
        """Whether the reader holds its place at the end of each shard that it reads from there: whatever is written
        from here on, it will hear of."""
        return self._progress.has_begun and not any(each.is_latest for each in self._readings.values())

    def positions(self) -> dict[str, str]:
        """Where a restart is to begin, by shard."""
        return self._progress.positions()

    def reached(self) -> float | None:
        """Seconds since the epoch: what happened until then has been read, or was told to be lost. None before the
        beginning."""
        return self._progress.reached()

    @property
    def shards(self) -> int:
        """How many shards are being read."""
        return len(self._readings)

    # What is to be done

    def due(self) -> Ask | float:
        """The request to be sent now, or the seconds until there is one."""
        if self._is_over:
            return math.inf
        now, descriptions = self._clock(), self._descriptions
        if descriptions.due <= now:
            return descriptions.ask()
        soonest = min(self._readings.values(), key=_due_of, default=None)
        if soonest is None:
            return descriptions.due - now
        return soonest.ask(self.arn) if soonest.due <= now else min(descriptions.due, soonest.due) - now

    # What came of it

    def replied(self, ask: Ask, response: Mapping[str, Any]) -> list[Event]:
        """Take a response. Raises KeyError for one that is none."""
        if ask.operation == "DescribeStream":
            listing = self._descriptions.replied(ask, response["StreamDescription"])
            return [] if listing is None else self._described(listing)
        reading = self._readings.get(ask.shard)
        if reading is None:
            return []
        if ask.operation == "GetRecords":
            return self._read(reading, response)
        reading.placed(response["ShardIterator"], self._clock())
        return []

    def _read(self, reading: Reading, response: Mapping[str, Any]) -> list[Event]:
        records = response["Records"]
        told = Records(reading.id, records, sequence_of(records), moment_of(records))  # before anything is taken over
        events: list[Event] = [*self._progress.look_for_age(reading.reached)]
        pause = SPACING if records or self._graph.is_closed(reading.id) else self._poll
        reading.read(response.get("NextShardIterator"), pause, self._clock())
        if records:
            events.append(told)
        elif reading.iterator is None:
            self._progress.finish(reading.id)
            if not self._graph.children(reading.id):
                self._descriptions.look_below(reading.id)
        else:
            reading.idled(self._wall_clock())
        return events

    def applied(self, records: Records) -> None:
        """These records have taken effect."""
        reading = self._readings.get(records.shard)
        if reading is not None:
            reading.applied(records.last, records.moment)

    def rewind(self, records: Records) -> None:
        """These records have taken no effect: they are read once more."""
        reading = self._readings.get(records.shard)
        if reading is not None:
            reading.iterator = None
            self._postpone(reading)

    # Listings

    def _described(self, listing: Listing) -> list[Event]:
        progress, gaps, is_in_doubt = self._progress, list[Gap](), False
        if listing.is_enabled and not (listing.shards or progress.has_begun or progress.has_checkpoint):
            self._descriptions.soon()  # a stream that goes on has shards: there is no place to begin at yet
            return []
        if progress.has_begun:
            progress.add(listing.shards)
        else:
            gaps += progress.begin(listing.shards, self._start, listing.created_at)
        if listing.parent is None:
            missing, is_in_doubt = progress.missing(listing.shards)
            gaps += missing
        progress.take_up()
        if listing.parent is not None:
            if self._graph.awaited or not self._graph.children(listing.parent):
                self._descriptions.soon()
            return [*gaps]
        is_idle = not self._graph.unfinished()
        self._ends = self._ends + 1 if is_idle and not listing.is_enabled else 0
        if self._ends >= CONFIRMATIONS:
            self._is_over = True
            return [*gaps, Ended()]
        if is_in_doubt or is_idle or (listing.is_enabled and self._graph.childless()):
            self._descriptions.soon()  # a stream goes on: what is not listed is about to be
        else:
            self._descriptions.settled()
        return [*gaps]

    # What failed

    def failed(self, ask: Ask, code: str) -> list[Event]:
        """Take an error. code: DynamoDB's error code, or the name of an exception."""
        if ask.operation != "DescribeStream":
            reading = self._readings.get(ask.shard)
            return [] if reading is None else self._not_read(reading, ask, code)
        if code == "ResourceNotFoundException":
            self._is_over = True
            return [Ended(is_gone=True)]
        if self._descriptions.failed(ask, code):
            return []
        return [Trouble(ask.operation, code, code in THROTTLED)]

    def _not_read(self, reading: Reading, ask: Ask, code: str) -> list[Event]:
        """What the error of one shard tells."""
        self._postpone(reading)
        if code == "ExpiredIteratorException":
            # Not at the end again, though it may have begun there: what came meanwhile would be lost.
            reading.iterator, reading.due = None, self._clock()
            return []
        is_at_place = ask.params.get("ShardIteratorType") == "AFTER_SEQUENCE_NUMBER"
        if code == "TrimmedDataAccessException" or (is_at_place and code in REFUSED):
            reading.lose_place()
            return [self._progress.lose(TRIMMED, reading.reached)]
        if code == "ResourceNotFoundException":
            reading.absences += 1
            self._descriptions.soon()
            return []
        is_throttling = code in THROTTLED
        if reading.failures >= PATIENCE and not is_throttling:
            reading.iterator = None  # it may be to blame
        return [Trouble(ask.operation, code, is_throttling)]

    def _postpone(self, reading: Reading) -> None:
        reading.failures += 1
        reading.read_failed(self._clock(), backed_off(reading.failures, self._random))


def _due_of(reading: Reading) -> float:
    return reading.due
