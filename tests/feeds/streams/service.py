"""A stream service that runs in the test: shards that split, merge and are trimmed, by a clock that the test moves.

    write(), split(), merge(), disable(), remove()     what happens to the stream
    hide(), show_open(), blank(), fail()               what goes wrong for those who read it
    send()                                             what a reader asks

It is as unkind as the real one may be: a page of a description shows the shards as they are when it is asked for, an
iterator at the horizon skips what was trimmed and says nothing, and a reply without records is not the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.feeds.streams.stored import StoredShard, described

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/notes/stream/2026-01-01T00:00:00.000"
RETENTION = 24 * 3600.0
ITERATORS_LAST = 15 * 60.0
_FIRST_SEQUENCE = 3 * 10**20
_HORIZON = -1


class ServiceError(Exception):
    """Shaped as botocore's errors are."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.response = {"Error": {"Code": code, "Message": code}}


class StreamService:
    """One stream. `wall_clock`: seconds since the epoch."""

    def __init__(
        self,
        wall_clock: Callable[[], float],
        *,
        roots: int = 1,
        page: int = 100,
        batch: int = 1000,
        may_filter: bool = True,
        ends_with_records: bool = True,
    ) -> None:
        """page: shards that a page of a description lists; batch: records that a reply brings. ends_with_records:
        whether the last records of a shard come without an iterator, or with one that brings nothing more."""
        self._wall_clock = wall_clock
        self._page, self._batch, self._may_filter = page, batch, may_filter
        self._ends_with_records = ends_with_records
        self._created_at = wall_clock()
        self._sequence = _FIRST_SEQUENCE
        self._number = 0
        self._faults: dict[str, deque[str]] = {}
        self.shards: dict[str, StoredShard] = {}
        """Those that can be read."""
        self.history: dict[str, StoredShard] = {}
        """All that there ever were."""
        self.status = "ENABLED"
        self.is_gone = False
        for _ in range(roots):
            self._open()

    # What happens to the stream

    def open_shards(self) -> list[StoredShard]:
        return [shard for shard in self.shards.values() if shard.closed_at is None]

    def write(self, shard: StoredShard, count: int = 1) -> None:
        """Write records to an open shard."""
        assert shard.closed_at is None
        now = self._wall_clock()
        moment = datetime.fromtimestamp(int(now), UTC)
        for _ in range(count):
            sequence = self._next()
            shard.moments.append(now)
            dynamodb = {"SequenceNumber": sequence, "ApproximateCreationDateTime": moment}
            record = {"eventID": str(len(shard.records)), "eventName": "MODIFY", "dynamodb": dynamodb}
            shard.records.append(record)

    def split(self, shard: StoredShard, children: int = 2) -> list[StoredShard]:
        """Close a shard in favour of children. One child is what comes of a shard that is four hours old."""
        return self.merge([shard], children)

    def merge(self, shards: list[StoredShard], children: int = 1) -> list[StoredShard]:
        for shard in shards:
            self._close(shard)
        return [self._open(tuple([shard.id for shard in shards])) for _ in range(children)]

    def disable(self) -> None:
        """The stream ends; what it holds can still be read."""
        for shard in self.open_shards():
            self._close(shard)
        self.status = "DISABLED"

    def remove(self) -> None:
        """The stream is not there any more."""
        self.is_gone = True

    def lose(self, shard: StoredShard) -> None:
        """A shard vanishes before its time."""
        del self.shards[shard.id]

    # What goes wrong for those who read it

    def hide(self, shard: StoredShard, descriptions: int) -> None:
        shard.hidden, shard.was_hidden = descriptions, True

    def show_open(self, shard: StoredShard, descriptions: int) -> None:
        shard.shown_open = descriptions

    def blank(self, shard: StoredShard, replies: int) -> None:
        shard.blanks = replies

    def fail(self, operation: str, code: str, times: int = 1) -> None:
        """The next requests of an operation fail."""
        self._faults.setdefault(operation, deque()).extend([code] * times)

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self._faults.clear()
        for shard in self.history.values():
            shard.hidden = shard.shown_open = shard.blanks = 0

    # What a reader asks

    def send(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer a request. Raises ServiceError."""
        faults = self._faults.get(operation)
        if faults:
            raise ServiceError(faults.popleft())
        self._trim()
        match operation:
            case "DescribeStream":
                return {"StreamDescription": self._description(**params)}
            case "GetShardIterator":
                return {"ShardIterator": self._iterator(**params)}
            case "GetRecords":
                return self._records(**params)
        raise AssertionError(operation)

    def _description(
        self,
        StreamArn: str,  # noqa: N803 - DynamoDB's names
        ExclusiveStartShardId: str = "",  # noqa: N803
        ShardFilter: dict[str, str] | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        if self.is_gone or StreamArn != ARN:
            raise ServiceError("ResourceNotFoundException")
        if ShardFilter is not None and not (self._may_filter and ShardFilter["Type"] == "CHILD_SHARDS"):
            raise ServiceError("ValidationException")
        after = [shard for id, shard in self.shards.items() if id > ExclusiveStartShardId]
        if ShardFilter is not None:
            after = [shard for shard in after if ShardFilter["ShardId"] in shard.parents]
        page = after[: self._page]
        description: dict[str, Any] = {
            "StreamArn": ARN,
            "StreamStatus": self.status,
            "CreationRequestDateTime": datetime.fromtimestamp(self._created_at, UTC),
            "Shards": [shown for shard in page if (shown := described(shard)) is not None],
        }
        if len(page) < len(after):
            description["LastEvaluatedShardId"] = page[-1].id
        return description

    def _iterator(
        self,
        StreamArn: str,  # noqa: N803
        ShardId: str,  # noqa: N803
        ShardIteratorType: str,  # noqa: N803
        SequenceNumber: str = "",  # noqa: N803
    ) -> str:
        shard = self._shard(ShardId)
        match ShardIteratorType:
            case "LATEST":
                place = len(shard.records)
            case "TRIM_HORIZON":
                place = _HORIZON
            case "AFTER_SEQUENCE_NUMBER":
                assert SequenceNumber
                place = len([1 for each in shard.records if each["dynamodb"]["SequenceNumber"] <= SequenceNumber])
                if place <= shard.trimmed and shard.trimmed:
                    raise ServiceError("TrimmedDataAccessException")
            case _:
                raise ServiceError("ValidationException")
        return self._token(shard, place)

    def _records(self, ShardIterator: str) -> dict[str, Any]:  # noqa: N803
        id, place_text, at = ShardIterator.split("|")
        if self._wall_clock() - float(at) > ITERATORS_LAST:
            raise ServiceError("ExpiredIteratorException")
        shard, place = self._shard(id), int(place_text)
        if shard.blanks:
            shard.blanks -= 1
            return {"Records": [], "NextShardIterator": self._token(shard, place)}
        if place == _HORIZON:
            place = shard.trimmed
        if place < shard.trimmed:
            raise ServiceError("TrimmedDataAccessException")
        found = shard.records[place : place + self._batch]
        place += len(found)
        is_end = shard.closed_at is not None and place == len(shard.records)
        if is_end and (self._ends_with_records or not found):
            return {"Records": found}
        return {"Records": found, "NextShardIterator": self._token(shard, place)}

    # Its memory

    def _shard(self, id: str) -> StoredShard:
        if self.is_gone or id not in self.shards:
            raise ServiceError("ResourceNotFoundException")
        return self.shards[id]

    def _token(self, shard: StoredShard, place: int) -> str:
        return f"{shard.id}|{place}|{self._wall_clock()}"

    def _open(self, parents: tuple[str, ...] = ()) -> StoredShard:
        self._number += 1
        shard = StoredShard(
            f"shardId-{self._number:020d}-{self._number * 2654435761 % 2**32:08x}", parents, self._next()
        )
        self.shards[shard.id] = self.history[shard.id] = shard
        return shard

    def _close(self, shard: StoredShard) -> None:
        assert shard.closed_at is None
        shard.closed_at, shard.last = self._wall_clock(), self._next()

    def _next(self) -> str:
        self._sequence += 7
        return str(self._sequence)

    def _trim(self) -> None:
        """Records go first, and then the shards that held them."""
        horizon = self._wall_clock() - RETENTION
        for id, shard in list(self.shards.items()):
            while shard.trimmed < len(shard.moments) and shard.moments[shard.trimmed] < horizon:
                shard.trimmed += 1
            if shard.closed_at is not None and shard.closed_at < horizon:
                del self.shards[id]
