"""The two languages in which boto3 speaks of values.

A client takes and returns typed values. The client inside a resource takes and returns native Python values, because
boto3 registers handlers on it that convert them. The cache holds typed values and serves both.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from boto3.dynamodb.transform import TransformationInjector, copy_dynamodb_params
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError

from ..cache.codec import decode
from ..core.native import native_item, typed_item
from ..core.not_cacheable import NotCacheable
from ..core.values import Item
from .steps import Params

_CONVERTING_HANDLER: Final = "dynamodb-attr-value-input"


class Dialect(Protocol):
    """How one client speaks of values."""

    is_typed: bool
    """Whether it speaks as DynamoDB itself does, so that requests need no conversion."""

    def request(self, operation: str, params: Params) -> Params:
        """The parameters with typed values and with expressions as strings. Raises NotCacheable where there is no
        telling."""

    def from_caller(self, item: Mapping[str, Any], /) -> Item:
        """An item, or a key, of a response in typed form."""

    def to_caller(self, item: Item) -> dict[str, Any]:
        """A typed item, or key, as this client returns it."""

    def decode_for_caller(self, data: bytes, /) -> dict[str, Any]:
        """The same of an item as it is stored."""


class Typed:
    """The dialect of clients: `{"S": "o#1"}`."""

    is_typed = True

    def request(self, operation: str, params: Params) -> Params:
        return params

    from_caller: "staticmethod[[Mapping[str, Any]], Item]" = staticmethod(dict)

    def to_caller(self, item: Item) -> dict[str, Any]:
        return item

    decode_for_caller = staticmethod(decode)


class Native:
    """The dialect of resources: `"o#1"`, Decimal, set, Binary, and condition objects."""

    is_typed = False

    def __init__(self, service_model: Any) -> None:
        self._model: Final = service_model

    def request(self, operation: str, params: Params) -> Params:
        if operation == "GetItem" and isinstance(params.get("Key"), dict):
            return {**params, "Key": typed_item(params["Key"])}  # the commonest call has nothing else to convert
        try:
            copied: Params = copy_dynamodb_params(params)
            model = self._model.operation_model(operation)
            # One for each request: an injector counts placeholders as it goes, so threads must not share it.
            injector = TransformationInjector()
            injector.inject_condition_expressions(copied, model)
            injector.inject_attribute_value_input(copied, model)
        except (TypeError, ValueError, ArithmeticError, AttributeError, BotoCoreError, Boto3Error):
            raise NotCacheable("native value") from None
        return copied

    def from_caller(self, item: Mapping[str, Any]) -> Item:
        return typed_item(item)

    def to_caller(self, item: Item) -> dict[str, Any]:
        return native_item(item)

    def decode_for_caller(self, data: bytes, /) -> dict[str, Any]:
        return native_item(decode(data))


def dialect_of(client: Any) -> Dialect:
    """The dialect of a client: native if boto3 registered its converting handlers there, as it does for resources."""
    # botocore has no public way to ask for a handler; a test holds this against the boto3 that is installed.
    emitter = getattr(client.meta.events, "_emitter", client.meta.events)
    converts = _CONVERTING_HANDLER in getattr(emitter, "_unique_id_handlers", {})
    return Native(client.meta.service_model) if converts else Typed()
