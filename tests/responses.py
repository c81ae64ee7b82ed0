"""What a response of a wrapped client says."""

from collections.abc import Mapping
from typing import Any


def is_hit(response: Mapping[str, Any]) -> bool:
    """Whether the cache answered."""
    return "x-cache" in response["ResponseMetadata"].get("HTTPHeaders", {})


def essence(response: Mapping[str, Any]) -> dict[str, Any]:
    """The response without its metadata, in which a hit differs from a miss."""
    return {name: member for name, member in response.items() if name != "ResponseMetadata"}
