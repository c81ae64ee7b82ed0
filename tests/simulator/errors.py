"""What the simulated DynamoDB answers when it refuses a request."""

from __future__ import annotations

from typing import Any


class RefusedError(Exception):
    """An answer that is an error: its code, its HTTP status, and the members that its code has besides a message."""

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = members


class UnsupportedError(Exception):
    """The model does not know what it was asked for. This is no answer of DynamoDB's: the test asks too much."""


def invalid(message: str) -> RefusedError:
    return RefusedError("ValidationException", message)


def condition_failed(item: dict[str, Any] | None) -> RefusedError:
    """`item` is the item that failed the condition, for callers that asked for it."""
    refused = RefusedError("ConditionalCheckFailedException", "The conditional request failed")
    if item is not None:
        refused.members["Item"] = item
    return refused


def no_such_table() -> RefusedError:
    return RefusedError("ResourceNotFoundException", "Requested resource not found")
