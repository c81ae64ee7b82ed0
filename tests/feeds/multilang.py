"""Both sides of the protocol between the MultiLangDaemon of the Kinesis Client Library and the process of a shard.

The daemon sends an action, a line of JSON; the process may answer with checkpoints, each of which the daemon answers;
then it says that the action is done. `amazon_kclpy` cannot be installed where Maven cannot be reached, for its build
fetches Java archives from there. So `StandIn` is a process of our own, which calls a processor as the library's does.
Where the library is installed, the tests use it as well.
"""

import base64
import io
import json
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

Reply = Callable[[dict[str, Any]], str | None]


class Daemon:
    """The daemon's side, with the two ends of its pipe."""

    def __init__(self, process: Callable[..., Any], processor: Any) -> None:
        self._process = process
        self._processor = processor
        self.said: list[dict[str, Any]] = []
        """What the process said."""
        self.refusing: Reply = lambda checkpoint: None
        """The error with which a checkpoint is refused."""
        self.errors = io.StringIO()
        self._lines: list[str] = []
        self._number = 0

    def send(self, action: str, **parts: Any) -> list[str]:
        """Send an action. Returns what the process did before it was done: "checkpoint" for each that was granted."""
        self.said = []
        self._lines = [json.dumps({"action": action, **parts})]
        self._process(self._processor, input_file=self, output_file=self, error_file=self.errors).run()
        assert self.said.pop() == {"action": "status", "responseFor": action}
        return [each["outcome"] for each in self.said]

    def initialize(self, sequence: str | None = "TRIM_HORIZON") -> list[str]:
        return self.send("initialize", shardId="shardId-0", sequenceNumber=sequence, subSequenceNumber=0)

    def records(self, *data: Any) -> list[str]:
        """Send records. data: what they hold, as JSON or as bytes."""
        records = []
        for each in data:
            self._number += 1
            raw = each if isinstance(each, bytes) else json.dumps(each).encode()
            records.append(
                {
                    "action": "record",
                    "data": base64.b64encode(raw).decode(),
                    "partitionKey": "a",
                    "sequenceNumber": str(self._number),
                    "subSequenceNumber": 0,
                    "approximateArrivalTimestamp": 1_790_000_000_000,
                }
            )
        return self.send("processRecords", records=records, millisBehindLatest=0)

    # The two files of the process

    def readline(self) -> str:
        return self._lines.pop(0) + "\n" if self._lines else ""

    def write(self, text: str) -> None:
        for line in text.split("\n"):
            if line:
                self._hear(json.loads(line))

    def flush(self) -> None: ...

    def _hear(self, said: dict[str, Any]) -> None:
        self.said.append(said)
        if said["action"] == "checkpoint":
            error = self.refusing(said)
            said["outcome"] = "checkpoint" if error is None else error
            place = {"sequenceNumber": said["sequenceNumber"], "subSequenceNumber": said["subSequenceNumber"]}
            self._lines.insert(0, json.dumps({"action": "checkpoint", **place, **({"error": error} if error else {})}))


class RefusedError(Exception):
    """As the library's CheckpointError."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


METHODS = {
    "initialize": "initialize",
    "processRecords": "process_records",
    "leaseLost": "lease_lost",
    "shardEnded": "shard_ended",
    "shutdownRequested": "shutdown_requested",
}
"""Of a processor, by action."""


class StandIn:
    """A process of a shard, as far as a processor of version 3 sees it."""

    def __init__(self, processor: Any, input_file: Any, output_file: Any, error_file: Any) -> None:
        assert processor.version == 3
        self.processor, self.input, self.output, self.errors = processor, input_file, output_file, error_file

    def run(self) -> None:
        while line := self.input.readline():
            message = json.loads(line)
            given = SimpleNamespace(
                records=[self._record(each) for each in message.get("records", ())],
                shard_id=message.get("shardId"),
                sequence_number=message.get("sequenceNumber"),
            )
            if message["action"] != "leaseLost":
                given.checkpointer = self
            try:
                getattr(self.processor, METHODS[message["action"]])(given)
            except Exception as error:  # noqa: BLE001 - as the library: it prints what a processor raises, and goes on
                self.errors.write(repr(error))
            self._say({"action": "status", "responseFor": message["action"]})

    def checkpoint(self, sequence_number: Any = None, sub_sequence_number: Any = None) -> None:
        self._say({"action": "checkpoint", "sequenceNumber": sequence_number, "subSequenceNumber": sub_sequence_number})
        reply = json.loads(self.input.readline())
        if reply.get("error") is not None:
            raise RefusedError(reply["error"])

    def _say(self, message: dict[str, Any]) -> None:
        self.output.write(f"\n{json.dumps(message)}\n")
        self.output.flush()

    def _record(self, message: dict[str, Any]) -> Any:
        return SimpleNamespace(binary_data=base64.b64decode(message["data"]), sequence_number=message["sequenceNumber"])


def processes() -> dict[str, Callable[..., Any]]:
    """The processes to test with, by name."""
    found: dict[str, Callable[..., Any]] = {"stand-in": StandIn}
    if find_spec("amazon_kclpy") is not None:
        from amazon_kclpy.kcl import KCLProcess

        found["amazon_kclpy"] = KCLProcess
    return found
