"""Counts what a boto3 client really sends, from botocore's own events, which no wrapper can hide."""

from typing import Any

from daxlite.demo.settings import Client
from daxlite.demo.units import answer_units


class Meter:
    """The requests that left through one client, and what their answers cost to read."""

    def __init__(self, client: Client) -> None:
        self.requests = 0
        self.reads = 0
        self.read_units = 0.0
        client.meta.events.register("after-call.dynamodb", self._after_call)

    def _after_call(self, *, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        self.requests += 1
        units = answer_units(model.name, parsed)
        self.read_units += units
        self.reads += units > 0
