"""The two forms in which boto3 takes and returns values.

A client takes and returns typed values. The client inside a resource takes and returns native Python values, because
boto3 registers handlers on it that convert them. The cache holds typed values and serves both.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from ..core.encoding import decode
from ..core.steps import Params
from ..core.values import Item

_CONVERTING_HANDLER: Final = "dynamodb-attr-value-output"


class Dialect(Protocol):
    """The form of values that one client takes and returns."""

    is_typed: bool
    """Whether it is DynamoDB's own form, so that requests need no conversion."""

    def request(self, operation: str, params: Params) -> Params:
        """The parameters with typed values and with expressions as strings. Raises NotCacheable for values that cannot
        be converted."""

    def from_caller(self, item: Mapping[str, Any], /) -> Item:
        """An item, or a key, of a response in typed form."""

    def to_caller(self, item: Item) -> dict[str, Any]:
        """A typed item, or key, as this client returns it."""

    def decode_for_caller(self, data: bytes, /) -> dict[str, Any]:
        """A stored item, decoded, as this client returns it."""


class Typed:
    """The dialect of clients: `{"S": "o#1"}`."""

    is_typed = True

    def request(self, operation: str, params: Params) -> Params:
        return params

    from_caller: "staticmethod[[Mapping[str, Any]], Item]" = staticmethod(dict)

    def to_caller(self, item: Item) -> dict[str, Any]:
        return item

    decode_for_caller = staticmethod(decode)


def dialect_of(meta: Any) -> Dialect:
    """The dialect of a client, by its `meta`: native if boto3 registered its converting handlers there, as it does for
    resources."""
    # botocore has no public way to ask for a handler; a test holds this against the boto3 that is installed.
    emitter = getattr(meta.events, "_emitter", meta.events)
    entry = getattr(emitter, "_unique_id_handlers", {}).get(_CONVERTING_HANDLER)
    if entry is None:
        return Typed()
    from .native import Native  # which imports what boto3 itself imports for resources alone

    handler = entry["handler"] if isinstance(entry, dict) else entry
    return Native(meta.service_model, getattr(handler, "__self__", None))
