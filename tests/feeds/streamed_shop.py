"""The shop with a DynamoDB stream of its table, as boto3 reads it, and a Redis that may fail.

It judges checkpoints, too: what one says was read must be what readers see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis

from daxlite.feeds.streams.progress import DONE
from daxlite.shared.checkpoints import Checkpoint, _decode
from daxlite.shared.following import Announcement, announced
from tests.feeds.shop import STREAM, Shop, item_of
from tests.feeds.streams.service import StreamService


class StreamedShop:
    """A shop, and the streams of its table."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.clock = shop, shop.simulator.clock
        self.streams: dict[str, StreamService] = {}
        self.versions: dict[int, int] = {1: 1, 2: 1, 3: 1}
        """By item: how it is in DynamoDB."""
        self._written: dict[str, tuple[int, int]] = {}
        """By sequence number: which item a record is of, and its version."""
        self._trusted: bytes | None = None
        self.new_stream(STREAM)

    # The table and its streams

    def new_stream(self, arn: str) -> StreamService:
        self.shop.stream = arn
        service = self.streams[arn] = StreamService(self.clock.now)
        return service

    @property
    def service(self) -> StreamService:
        """The present stream."""
        return self.streams[self.shop.stream]

    def write(self, number: int = 1, client: Any = None) -> int:
        """Write the next version of an item. Returns it."""
        version = self.versions[number] = self.versions[number] + 1
        record = self.shop.write(item_of(number, version), client=client)
        self.append(record)
        self._written[self._last["SequenceNumber"]] = number, version
        return version

    def write_without_a_record(self, number: int) -> None:
        """Change an item in a way that no stream will tell of."""
        version = self.versions[number] = self.versions[number] + 1
        self.shop.write(item_of(number, version))

    def append(self, record: dict[str, Any]) -> None:
        """Put a record into the present stream."""
        (*_, shard) = self.service.open_shards()
        self.service.write(shard)
        place = self._last
        told = {**record.get("dynamodb", {}), "SequenceNumber": place["SequenceNumber"]}
        shard.records[-1] = {**record, "dynamodb": {**told, "ApproximateCreationDateTime": _moment(self.clock.now())}}

    @property
    def _last(self) -> dict[str, Any]:
        (*_, shard) = self.service.open_shards()
        found: dict[str, Any] = shard.records[-1]["dynamodb"]
        return found

    def disable(self) -> None:
        self.service.disable()
        self.shop.view = None

    def enable(self, arn: str) -> None:
        self.new_stream(arn)
        self.shop.view = "NEW_AND_OLD_IMAGES"

    def see(self, *numbers: int) -> dict[int, int | None]:
        """What a reader of another process is answered."""
        return {number: self.shop.read(number) for number in numbers or (1, 2, 3)}

    def cache_all(self) -> None:
        """Have a reader cache all items, long after they were written."""
        for _ in range(3):  # the first values may be kept for a short time only
            self.clock.advance(20)
            self.see()
        assert self.see() == self.versions
        self.shop.reads  # noqa: B018 - it counts anew
        self.see()
        assert self.shop.reads == 0, "they are cached"

    @contextmanager
    def redis_down(self) -> Iterator[None]:
        with self.shop.server.down(redis.ConnectionError("down")):
            yield

    @contextmanager
    def takes_no_writes(self) -> Iterator[None]:
        """Redis answers reads alone, as a replica does."""
        server = self.shop.server
        before, server.failing = server.failing, _refuse_writes
        try:
            yield
        finally:
            server.failing = before

    # The checkpoint

    @property
    def checkpoint(self) -> Checkpoint | None:
        data = self.stored("checkpoint")
        return None if data is None else _decode(data)

    @property
    def announcement(self) -> Announcement:
        """What stands there for the writers."""
        found = announced(self.stored("follower"))
        assert found is not None
        return found

    def stored(self, kind: str) -> bytes | None:
        return next((self.shop.server.data[key][0] for key in self.shop.server.keys(kind)), None)

    def replace_checkpoint(self, change: Callable[[bytes], bytes]) -> None:
        (key,) = self.shop.server.keys("checkpoint")
        data, until = self.shop.server.data[key]
        self.shop.server.data[key] = change(data), until

    def judge_checkpoint(self) -> None:
        """What a checkpoint says has taken effect is what a reader sees."""
        data = self.stored("checkpoint")
        if data is None or data == self._trusted:
            return
        self._trusted = data
        try:
            found = _decode(data)
        except msgspec.DecodeError:  # a test has put it there
            return
        service = self.streams.get(found.stream)
        for id, position in found.positions.items() if service is not None else ():
            assert service is not None
            for record in service.history[id].records:
                sequence = record["dynamodb"]["SequenceNumber"]
                if sequence in self._written and (position == DONE or sequence <= position):
                    number, version = self._written[sequence]
                    seen = self.shop.read(number)
                    assert seen is None or seen >= version, f"the checkpoint is ahead of version {version} of {number}"


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(int(now), UTC)


def _refuse_writes(command: Sequence[Any]) -> Exception | None:
    is_read = command[0] in ("MGET", "GET", "PING", "TIME")
    return None if is_read else redis.exceptions.ReadOnlyError("You can't write against a read only replica.")
