"""`lambda_handler`: an AWS Lambda function that is invoked with a table's changes drops what they made stale.

    DynamoDB stream, or Kinesis data stream for DynamoDB  -->  event source mapping  -->  handler  -->  the shared tier

Events are as AWS documents them ("Using AWS Lambda with Amazon DynamoDB", "Using AWS Lambda with Amazon Kinesis"). A
record that does not tell what it changed costs more than one that does. So nothing but a Redis that cannot be reached
holds up a stream.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.checks import shown
from ..core.hidden import Hidden
from ..core.tables import region_and_name
from ..core.uncopied import Uncopied
from ..edges.cache import Cache
from .applying import CHUNK
from .brought import BroughtTables
from .brought_table import Brought
from .clients import RegionalClients
from .records import UndecodableRecordError, payload_of
from .stats import FeedStats

_logger: Final = logging.getLogger("daxlite")

_ARN_PARTS: Final = 6
_STREAMS: Final = "aws:dynamodb"
_KINESIS: Final = "aws:kinesis"
_WANTED: Final = "an event of a DynamoDB stream, or of a Kinesis data stream for DynamoDB"


class _Entry(Hidden, Struct, frozen=True):
    """One record of an event."""

    sequence: str
    """By which Lambda knows the record. Empty, it stands for the whole batch."""
    brought: Brought


class LambdaHandler(Uncopied, Hidden):
    """What `lambda_handler` returns: a function of an event."""

    def __init__(self, cache: Cache, clients: RegionalClients) -> None:
        self._tables = BroughtTables(cache, clients)

    def __call__(self, event: Any, context: Any = None) -> dict[str, list[dict[str, str]]]:
        """Take an event. Returns the partial batch response: the first record that Lambda is to bring again, with all
        after it; or none. Raises TypeError or ValueError for what is no event of this kind.

        context: Lambda's, which is not looked at.
        """
        entries = _entries(event)
        for first in range(0, len(entries), CHUNK):
            chunk = entries[first : first + CHUNK]
            if not self._tables.take([each.brought for each in chunk]):
                _logger.warning(
                    "Redis could not be told of %d of %d changes; Lambda brings them again, "
                    "if the event source mapping has ReportBatchItemFailures",
                    len(entries) - first,
                    len(entries),
                )
                return {"batchItemFailures": [{"itemIdentifier": chunk[0].sequence}]}
        return {"batchItemFailures": []}

    def stats(self) -> dict[str, FeedStats]:
        """The counts of this process, by table's ARN; by stream's ARN for records that name no table."""
        return self._tables.stats()


def lambda_handler(cache: Cache, *, client: Any = None, session: Any = None) -> LambdaHandler:
    """The handler of a Lambda function that hears of changes of tables, instead of `follow`. It tells the shared tier,
    so what depends on them is dropped everywhere before the function returns (P6).

    cache: one with a shared tier; best `Shared(..., local=False)`, for the function itself reads nothing. Make it, and
    the handler, outside of the function, so that each invocation finds their connections open.
    client, session: a DynamoDB client or a boto3.Session, for its credentials; the default session unless given. The
    tables are described in the region of their streams (dynamodb:DescribeTable). Where that is forbidden, a record
    costs all that is cached of its table.

    The event source mapping needs FunctionResponseTypes: ReportBatchItemFailures, or what Redis could not be told is
    lost. For the same reason it begins at TRIM_HORIZON, has no filter and no bound to attempts or to the records' age.
    A stream best has NEW_AND_OLD_IMAGES. Nothing but changes of tables is to be written to a Kinesis stream.

    Raises TypeError or ValueError for what is not allowed, and for a cache without a shared tier.

    >>> import fakeredis, daxlite
    >>> from daxlite.feeds import lambda_handler
    >>> cache = daxlite.Cache(shared=daxlite.Shared(fakeredis.FakeRedis(), namespace="shop", local=False))
    >>> handler = lambda_handler(cache)
    >>> handler({"Records": []})
    {'batchItemFailures': []}
    """
    return LambdaHandler(cache, RegionalClients(client, session))


def _entries(event: Any) -> list[_Entry]:
    """The records of an event. Raises TypeError or ValueError."""
    if not isinstance(event, Mapping):  # the classes of Powertools are mappings of what came
        raise TypeError(f"the event is {shown(event)}; it must be {_WANTED}")
    records = event.get("Records")
    if not isinstance(records, list):
        raise ValueError(f"the event has no list of Records; it must be {_WANTED}")
    found: list[_Entry] = []
    errors: list[ValueError] = []
    for each in records:
        try:
            found.append(_entry(each))
        except ValueError as error:
            # One among others holds up nothing: like one that does not tell its table it costs all that is cached.
            errors.append(error)
            found.append(_Entry("", Brought("another source", None, None)))
    if errors and len(errors) == len(found):
        raise errors[0]
    return found


def _entry(record: Any) -> _Entry:
    """One record. Raises ValueError for what is none of a stream of a table's changes."""
    source, arn = _text(record, "eventSource"), _text(record, "eventSourceARN")
    if source == _STREAMS:
        table = arn.partition("/stream/")[0]
        if region_and_name(table)[0] is None:
            raise ValueError("the event has a record whose eventSourceARN is none of a DynamoDB stream")
        sequence = _text(record.get("dynamodb"), "SequenceNumber")
        return _Entry(sequence, Brought(arn, table, record, is_ordered=True))
    if source == _KINESIS:
        if len(arn.split(":")) < _ARN_PARTS:
            raise ValueError("the event has a record whose eventSourceARN is none of a Kinesis stream")
        told = record.get("kinesis")
        payload = _payload(told)
        return _Entry(_text(told, "sequenceNumber"), Brought(arn, _table_beside(arn, payload), payload))
    raise ValueError(f"the event has a record whose eventSource is {shown(source)}; it must be {_WANTED}")


def _payload(told: Any) -> Any:
    try:
        return payload_of(_text(told, "data"))
    except UndecodableRecordError:
        return None


def _table_beside(arn: str, payload: Any) -> str | None:
    """The ARN of the table that a record names. It is in the account and the region of the Kinesis stream."""
    name, parts = _text(payload, "tableName"), arn.split(":")
    table = f"arn:{parts[1]}:dynamodb:{parts[3]}:{parts[4]}:table/{name}"
    return table if region_and_name(table)[1] == name else None


def _text(mapping: Any, name: str) -> str:
    """What stands under a name, if it is text; else nothing."""
    value = mapping.get(name) if isinstance(mapping, Mapping) else None
    return value if isinstance(value, str) else ""
