"""The dialect of resources."""

from collections.abc import Mapping
from typing import Any, Final

from boto3.dynamodb.transform import TransformationInjector, copy_dynamodb_params
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError

from ..core.encoding import decode
from ..core.native import is_boto3s, native_item, typed_item
from ..core.not_cacheable import NotCacheable
from ..core.steps import Params
from ..core.values import Item


class Native:
    """`"o#1"`, Decimal, set, Binary, and condition objects."""

    is_typed = False

    def __init__(self, service_model: Any, converter: Any = None) -> None:
        """converter: boto3's TransformationInjector of the client, which may have serializers of the application's."""
        self._model: Final = service_model
        serializer = getattr(converter, "_serializer", None)
        self._serializer = None if type(serializer) is TypeSerializer else serializer
        self._serialize = (TypeSerializer() if serializer is None else serializer).serialize
        self._deserializer: Any = getattr(converter, "_deserializer", None) or TypeDeserializer()
        self._is_replaced = type(self._deserializer) is not TypeDeserializer

    def request(self, operation: str, params: Params) -> Params:
        if operation == "GetItem" and isinstance(params.get("Key"), dict):
            return {**params, "Key": self._typed(params["Key"])}  # the commonest call has nothing else to convert
        try:
            copied: Params = copy_dynamodb_params(params)
            model = self._model.operation_model(operation)
            # One for each request: an injector counts placeholders as it goes, so threads must not share it.
            injector = TransformationInjector(serializer=self._serializer)
            injector.inject_condition_expressions(copied, model)
            injector.inject_attribute_value_input(copied, model)
        except (TypeError, ValueError, ArithmeticError, AttributeError, BotoCoreError, Boto3Error):
            raise NotCacheable("native value") from None
        return copied

    def from_caller(self, item: Mapping[str, Any]) -> Item:
        # A deserializer of the application's may have made a text of a number: which it was cannot be told.
        if not is_boto3s(self._deserializer):
            raise NotCacheable("values of a deserializer that is not boto3's")
        return self._typed(item)

    def to_caller(self, item: Item) -> dict[str, Any]:
        if self._is_replaced:
            return {name: self._deserializer.deserialize(value) for name, value in item.items()}
        return native_item(item)

    def decode_for_caller(self, data: bytes, /) -> dict[str, Any]:
        return self.to_caller(decode(data))

    def _typed(self, item: Mapping[str, Any]) -> Item:
        return typed_item(item) if self._serializer is None else typed_item(item, self._serialize)
