"""A record processor for the Kinesis Client Library for Python, `amazon_kclpy`.

    MultiLangDaemon (Java)  -- a line of JSON on stdin -->  KCLProcess  -->  RecordProcessor  -->  the shared tier
                            <-- checkpoint, on stdout -----             <--  once all of it is delivered

One process reads one shard. It takes a place in the stream (a *checkpoint*) only when everything before has been
delivered, so what a process that dies has left undone is read again. That does no harm.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from ..cache.moment import LONG_AGO
from ..cache.regions import check_table
from ..core.hidden import Hidden
from ..core.steps import Sleep, Steps
from ..core.tables import region_and_name
from ..core.uncopied import Uncopied
from ..drivers.threads import ThreadDriver
from ..edges.cache import Cache
from .applying import CHUNK
from .brought import BroughtTables
from .brought_table import Brought
from .clients import RegionalClients
from .errors import FeedError
from .records import UndecodableRecordError, payload_of
from .stats import FeedStats

_logger: Final = logging.getLogger("daxlite")

CHECKPOINT_EVERY: Final = 10.0
"""Seconds between two checkpoints, each of which is a write to the library's own table."""
ATTEMPTS: Final = 60
"""So often the end of a shard is tried to be told, with PAUSE seconds in between."""
PAUSE: Final = 1.0


class RecordProcessor(Uncopied, Hidden):
    """The processor of one shard: `amazon_kclpy.v3`'s, by its methods. It drops what the records of a Kinesis data
    stream for DynamoDB make stale, or those of a DynamoDB stream that AWS's Kinesis adapter reads.

    cache: one with a shared tier.
    table: of a DynamoDB stream, the table's name or ARN, for its records do not tell it. None for a Kinesis stream.
    client, session: a DynamoDB client or a boto3.Session, for its credentials; the default session unless given.

    The library is to begin at TRIM_HORIZON. Nothing but changes of tables is to be written to a Kinesis stream.
    Raises TypeError or ValueError for what is not allowed, and for a cache without a shared tier; botocore's errors
    where the region of a table is not known.

    >>> import fakeredis, daxlite
    >>> from daxlite.feeds.kcl import RecordProcessor
    >>> cache = daxlite.Cache(shared=daxlite.Shared(fakeredis.FakeRedis(), namespace="shop", local=False))
    >>> RecordProcessor(cache, table="arn:aws:dynamodb:eu-west-1:123456789012:table/Orders").stats()
    {}
    """

    version = 3
    """Of the methods, as amazon_kclpy counts them."""

    def __init__(self, cache: Cache, *, table: str | None = None, client: Any = None, session: Any = None) -> None:
        clients = RegionalClients(client, session)
        self._tables = BroughtTables(cache, clients)
        if table is not None:
            check_table(table, None)
            clients.of(region_and_name(table)[0])  # here, where an error of the settings is seen
        self._cache = cache._memory
        self._table = table
        self._driver = ThreadDriver()
        self._checkpoint_at = LONG_AGO
        self._is_lost = False
        """Whether records were not applied, for a reason that this code does not know: another process is to read them
        again, so this one takes no place any more."""

    def stats(self) -> dict[str, FeedStats]:
        """The counts of this shard, by table."""
        return self._tables.stats()

    # What KCLProcess calls

    def initialize(self, initialize_input: Any) -> None:
        """Begin with a shard."""

    def process_records(self, process_records_input: Any) -> None:
        """Apply records, and take the place after them, if it is time and all is delivered."""
        records, is_delivered = process_records_input.records, True
        try:
            for first in range(0, len(records), CHUNK):
                is_delivered = self._tables.take([self._brought(each) for each in records[first : first + CHUNK]])
        except Exception:
            self._is_lost = True
            raise  # KCLProcess prints it, and goes on with the next records
        now = self._cache.moment()
        if is_delivered and self._checkpoint_at.is_over(now) and self._checkpoint(process_records_input.checkpointer):
            self._checkpoint_at = now.after(CHECKPOINT_EVERY)

    def lease_lost(self, lease_lost_input: Any) -> None:
        """Another process has the shard, and reads again what this one has not told."""
        self._tables.take(())

    def shard_ended(self, shard_ended_input: Any) -> None:
        """Take the last place, once all is delivered: no shard that follows is read before. Where Redis
        takes longer than a minute, the place is not taken, and the end of the shard is read again."""
        ended = shard_ended_input.checkpointer
        if not self._driver.drive(self._until(lambda: self._tables.take(()))):
            _logger.error(
                "a shard has ended, and Redis could not be told of all of its changes; its end is not told either, so "
                "that it is read again"
            )
            return
        if not self._driver.drive(self._until(lambda: self._checkpoint(ended))):
            _logger.error("the end of a shard could not be told; its children are not read until it is")

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        """This process is to end: take the place, if all is delivered."""
        if self._tables.take(()):
            self._checkpoint(shutdown_requested_input.checkpointer)

    # How

    def _brought(self, record: Any) -> Brought:
        try:
            payload = payload_of(record.binary_data)
        except (UndecodableRecordError, ValueError):
            payload = None
        name, region = _text(payload, "tableName"), _text(payload, "awsRegion")
        if name is not None:  # of a Kinesis stream, even where a table was given
            return Brought("kinesis", name, payload, region)
        return Brought(f"streams/{self._table}", self._table, payload, is_ordered=True)

    def _checkpoint(self, checkpointer: Any) -> bool:
        if self._is_lost:
            return False
        try:
            checkpointer.checkpoint()
        except Exception as error:  # noqa: BLE001 - throttled, or the lease is lost: the next one takes this place, too
            _logger.warning("a checkpoint was refused: %s", getattr(error, "value", type(error).__name__))
            return False
        return True

    def _until(self, is_done: Callable[[], bool]) -> Steps[bool]:
        for _ in range(ATTEMPTS - 1):
            if is_done():
                return True
            yield Sleep(PAUSE)
        return is_done()


def run(processor: RecordProcessor) -> None:
    """Be the process that a MultiLangDaemon starts for a shard: take lines from stdin until it ends. So nothing else
    may be printed. Raises FeedError where amazon_kclpy is not installed.

    >>> def main(cache):
    ...     run(RecordProcessor(cache))
    """
    try:
        from amazon_kclpy.kcl import KCLProcess
    except ImportError:
        raise FeedError(
            "amazon_kclpy is not installed, which runs a record processor: pip install amazon_kclpy"
        ) from None
    KCLProcess(processor).run()


def _text(payload: Any, name: str) -> str | None:
    value = payload.get(name) if isinstance(payload, dict) else None
    return value if isinstance(value, str) and value else None
