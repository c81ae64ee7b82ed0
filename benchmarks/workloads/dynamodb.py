"""The DynamoDB behind the cache: the simulated one, its replicas as late as they may be, with a meter."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.workloads.answers import Answers
from benchmarks.workloads.calls import Read, Write
from tests.simulator import Simulator
from tests.simulator.history import Call
from tests.simulator.operations import READS

LAG = 2.0
"""Seconds by which every replica is behind, and every global index. In life it is milliseconds, but a replica may be
this late, and that is when a cache goes wrong."""


@dataclass(slots=True)
class Meter:
    """What was read, by requests that reached DynamoDB."""

    reads: int = 0
    strong: int = 0
    units: float = 0.0


class DynamoDB:
    """A table's service, and `client`, which asks it without botocore's cost."""

    def __init__(self, simulator: Simulator, client: Any) -> None:
        self.simulator = simulator
        self.simulator.reset()
        self.simulator.replicas.base_lag = self.simulator.replicas.index_lag = LAG
        self.answers = Answers(simulator)
        self.meter = Meter()
        self.client = client

    @property
    def now(self) -> float:
        return self.simulator.clock.now()

    def wall(self) -> float:
        """Seconds since 1970; no machine is frozen here."""
        return 1_800_000_000.0 + self.now

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """The client asks this service, and no other one."""
        self.client._make_api_call = self._call
        try:
            yield
        finally:
            del self.client._make_api_call

    def write(self, write: Write) -> None:
        """Write without a cache."""
        self._call(write.operation, write.request)

    def _call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if operation in READS:
            response = self._read(operation, params)
        else:
            response = self.simulator.answer(operation, params)
            self._note(operation, params)
        metadata = {"RequestId": "simulated", "HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
        return {**response, "ResponseMetadata": metadata}

    def _read(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        is_strong = bool(params.get("ConsistentRead"))
        read = Read(operation, {name: value for name, value in params.items() if name != "ConsistentRead"})
        index = self.answers.index(read)
        tick = self.simulator.history.now
        if not is_strong:
            call = Call(0, operation, params, "the only one")
            tick = self.simulator.replicas.moment(
                self.simulator.tables[params["TableName"]],
                call,
                of_global_index=index is not None and index.is_global,
                now=self.now,
            )
        answer = self.answers.at(tick, read)
        self.meter.reads += 1
        self.meter.strong += is_strong
        self.meter.units += answer.units * (2 if is_strong else 1)
        return answer.response

    def _note(self, operation: str, params: dict[str, Any]) -> None:
        if operation in ("PutItem", "UpdateItem", "DeleteItem"):
            keys = self.simulator.tables[params["TableName"]].schema.keys.attributes
            whole = params["Item"] if operation == "PutItem" else params["Key"]
            self.answers.note(params["TableName"], {name: whole[name] for name in keys})
