"""Counts the requests that a boto3 client sends, by botocore's events: below any wrapper."""

from typing import Any

from daxlite.demo.settings import Client, Request, Response
from daxlite.demo.units import answer_units

CONSISTENT = "daxlite_demo_consistent"


class Meter:
    """The requests that one client sent, and the read units of their answers."""

    def __init__(self, client: Client) -> None:
        self.requests = 0
        self.reads = 0
        self.read_units = 0.0
        client.meta.events.register("before-parameter-build.dynamodb", self._before_call)
        client.meta.events.register("after-call.dynamodb", self._after_call)

    def _before_call(self, *, params: Request, context: dict[str, Any], **_: Any) -> None:
        # Kept in the context of the call: the answer does not show whether the read was consistent.
        requests = (params, *params.get("RequestItems", {}).values())
        context[CONSISTENT] = any(isinstance(part, dict) and part.get("ConsistentRead") for part in requests)

    def _after_call(self, *, model: Any, parsed: Response, context: dict[str, Any], **_: Any) -> None:
        self.requests += 1
        units = answer_units(model.name, parsed, consistent=context.get(CONSISTENT, False))
        self.read_units += units
        self.reads += units > 0
