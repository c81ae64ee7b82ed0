"""One shard that is being read: its place in it, and the requests that go on from there."""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct, field

from .asks import SPACING, Ask

HORIZON: Final = ""
"""The position of a shard of which nothing was read: its oldest record."""
BLANKS: Final = 5
"""So many replies in a row bring no records if there were none when the first of them was asked for. One alone says
nothing: the way to the next record may take several (AWS: "GetRecords")."""


class Reading(Struct, eq=False):
    """A shard that is being read."""

    id: str
    position: str
    """The sequence number of the last record that has taken effect."""
    due: float
    reached: float
    """Seconds since the epoch: what happened until then was read, or was told to be lost."""
    is_latest: bool = False
    """Whether it is to be read from its end on, and has no iterator yet."""
    iterator: str | None = None
    failures: int = 0
    absences: int = 0
    """So many requests in a row found no such shard."""
    _next_read: float = 0.0
    _blanks: deque[float] = field(default_factory=lambda: deque(maxlen=BLANKS))
    """When the last replies came, of a row of them without records."""

    def ask(self, arn: str) -> Ask:
        """The next request."""
        if self.iterator is not None:
            return Ask("GetRecords", {"ShardIterator": self.iterator}, self.id)
        place = {"StreamArn": arn, "ShardId": self.id}
        if self.position != HORIZON:
            place |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.position}
        else:
            place["ShardIteratorType"] = "LATEST" if self.is_latest else "TRIM_HORIZON"
        return Ask("GetShardIterator", place, self.id)

    def placed(self, iterator: str, now: float) -> None:
        """The service has given an iterator."""
        self.iterator, self.is_latest = iterator, False
        self.due = max(now, self._next_read)

    def read(self, iterator: str | None, pause: float, now: float) -> None:
        """Records came, or none. There is no iterator after the last ones of a shard: it is placed behind them once
        they have taken effect, and finds that it is at the end."""
        self.iterator = iterator
        self._next_read, self.due = now + SPACING, now + pause
        self.failures = self.absences = 0

    def idled(self, wall: float) -> None:
        """The records that came were none."""
        if len(self._blanks) == BLANKS:
            self.reached = max(self.reached, self._blanks[0])
        self._blanks.append(wall)

    def applied(self, last: str, moment: float | None) -> None:
        """Records have taken effect."""
        self.position = last or self.position
        self.reached = self.reached if moment is None else max(self.reached, moment)
        self._blanks.clear()

    def lose_place(self) -> None:
        """What its position names is not there any more: it goes on with the oldest record that is."""
        self.position, self.iterator, self.is_latest = HORIZON, None, False

    def read_failed(self, now: float, pause: float) -> None:
        """A request was refused."""
        self._next_read = now + SPACING
        self.due = now + pause


def moment_of(records: Sequence[Any]) -> float | None:
    """Seconds since the epoch: when the last record was written that says so."""
    for record in reversed(records):
        with suppress(KeyError, TypeError, AttributeError, ValueError, OverflowError):
            return float(record["dynamodb"]["ApproximateCreationDateTime"].timestamp())
    return None


def sequence_of(records: Sequence[Any]) -> str:
    """The sequence number of the last record that has one."""
    for record in reversed(records):
        with suppress(KeyError, TypeError):
            sequence = record["dynamodb"]["SequenceNumber"]
            if isinstance(sequence, str):
                return sequence
    return HORIZON
