"""Records of a change feed, whichever way they came: what happened to one item.

    Streams, through boto3   typed values as boto3 has them, datetimes
    Lambda, Kinesis, KCL     JSON: binary values in base64, moments as numbers of seconds, milli- or microseconds

Values are kept in DynamoDB's typed form. An image that is not there was not asked for by the stream's view type, or the
item was not there: which of these it is, the record says by its event name and its view type.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from ..core.changes import ABSENT, UNKNOWN, Change, Image
from ..core.checks import is_number
from ..core.hidden import Hidden
from ..core.not_cacheable import NotCacheable
from ..core.schema import item_key
from ..core.tables import Place
from ..core.values import Item, canonical_item

INSERT: Final = "INSERT"
REMOVE: Final = "REMOVE"
KNOWN_EVENTS: Final = frozenset({INSERT, "MODIFY", REMOVE})

_SERVICE: Final = ("Service", "dynamodb.amazonaws.com")
"""Who deletes items whose time is over (AWS: "DynamoDB Streams and Time to Live")."""


class UndecodableRecordError(ValueError):
    """A record that does not say which item changed."""


class FeedRecord(Hidden, Struct, frozen=True):
    """One record."""

    event: str
    """INSERT, MODIFY or REMOVE, or a name that this release does not know."""
    key: Item
    item: bytes
    """The canonical form of the key."""
    old: Image
    new: Image
    moment: float | None = None
    """Seconds since the epoch: when DynamoDB wrote the record, rounded down to a second in Streams."""
    table: str | None = None
    """The table's name, where the record tells it."""
    is_expiry: bool = False
    """Whether DynamoDB deleted the item because its time was over."""

    @property
    def is_unchanged(self) -> bool:
        """Whether it tells that nothing changed."""
        return self.old is not UNKNOWN and self.old == self.new

    def change(self, place: Place) -> Change:
        """The change of the table at a place."""
        return Change(place, self.key, self.old, self.new, item=self.item)


def record_of(raw: Any, *, is_json: bool = False) -> FeedRecord:
    """A record of DynamoDB Streams, or of a Kinesis data stream for DynamoDB.

    raw: as boto3's GetRecords has it; is_json: as a Lambda event or the payload of a Kinesis record has it. Raises
    UndecodableRecordError for one that does not say which item changed.

    >>> record_of({"eventName": "REMOVE", "dynamodb": {"Keys": {"pk": {"S": "o#1"}}}}).key
    {'pk': {'S': 'o#1'}}
    """
    try:
        told = raw["dynamodb"]
        if is_json:
            told = {
                **told,
                **{name: _from_json(told[name]) for name in ("Keys", "OldImage", "NewImage") if told.get(name)},
            }
        key = canonical_item(told["Keys"])
        item = item_key(key)
        in_images = key if is_json else told["Keys"]
        old, new = [_image(told.get(name), in_images, is_json) for name in ("OldImage", "NewImage")]
    except (KeyError, TypeError, ValueError, AttributeError, NotCacheable):
        raise UndecodableRecordError("a record that does not say which item changed") from None
    event = str(raw.get("eventName"))
    if event in KNOWN_EVENTS:
        old = ABSENT if event == INSERT else old
        new = ABSENT if event == REMOVE else new
    else:
        old = new = UNKNOWN
    who = raw.get("userIdentity") or {}
    is_expiry = event == REMOVE and isinstance(who, Mapping) and _identity(who) == _SERVICE
    table = raw.get("tableName")
    table = table if isinstance(table, str) else None
    return FeedRecord(event, key, item, old, new, _moment(told), table, is_expiry)


def payload_of(data: bytes | str) -> Any:
    """What a Kinesis record holds, or the record of a multi-language daemon: JSON. Raises UndecodableRecordError for
    anything else.

    data: bytes, or base64 of them.
    """
    try:
        found = json.loads(base64.b64decode(data, validate=True) if isinstance(data, str) else data)
    except (ValueError, binascii.Error, RecursionError):
        raise UndecodableRecordError("a record that is no JSON") from None
    if not isinstance(found, dict):
        raise UndecodableRecordError("a record that is no JSON object")
    return found


def _image(image: Any, key: Any, is_json: bool) -> Image:
    """An image. boto3 has parsed it as DynamoDB stores it, so it needs no other form, and a thousand of them come at
    once. JSON may hold anything.

    key: the item's, as the record has it."""
    if image is None:
        return UNKNOWN
    found = canonical_item(image) if is_json or not isinstance(image, dict) else image
    return found if key.items() <= found.items() else UNKNOWN  # else it is none of this item


def _identity(who: Mapping[str, Any]) -> tuple[Any, Any]:
    """Type and principal: Streams spells them in one way, Lambda events in another one."""
    return who.get("Type", who.get("type")), who.get("PrincipalId", who.get("principalId"))


def _moment(told: Mapping[str, Any]) -> float | None:
    moment: Any = told.get("ApproximateCreationDateTime")
    if isinstance(moment, datetime):
        return moment.timestamp()
    if not is_number(moment) or abs(moment) > _LAST:
        return None
    if told.get("ApproximateCreationDateTimePrecision") == "MICROSECOND":
        return float(moment / 1e6)
    # Kinesis has milliseconds unless it says otherwise, Streams have seconds. No two ranges meet before the year 5138.
    scale = 1e6 if moment > 1e14 else 1e3 if moment > 1e11 else 1.0
    return float(moment / scale)


_LAST: Final = 1e17
"""Microseconds since the epoch, in the year 5138."""


def _from_json(attributes: Any) -> Any:
    """Typed values with their binary content decoded."""
    if not isinstance(attributes, Mapping):
        raise UndecodableRecordError("attributes that are none")
    return {name: _value_from_json(value, 0) for name, value in attributes.items()}


def _value_from_json(value: Any, depth: int) -> Any:
    if not isinstance(value, Mapping) or len(value) != 1 or depth > _DEEPEST:
        raise UndecodableRecordError("a value that is none")
    ((kind, content),) = value.items()
    if kind == "B":
        return {kind: base64.b64decode(content, validate=True)}
    if kind == "BS":
        return {kind: [base64.b64decode(each, validate=True) for each in content]}
    if kind == "L":
        return {kind: [_value_from_json(each, depth + 1) for each in content]}
    if kind == "M":
        return {kind: {name: _value_from_json(each, depth + 1) for name, each in content.items()}}
    return {kind: content}


_DEEPEST: Final = 40
"""As in `core.values`: DynamoDB allows 32 levels."""
