"""An office in a process of its own: `python -m daxlite.demo.other_process`.

It reads commands from its standard input, one line of JSON each, and writes the answers to its standard output in the
same way. It exits when the input ends: however its parent dies, no process is left.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from daxlite.demo.office import Asked
from daxlite.demo.server import stop, surroundings
from daxlite.demo.settings import DemoError, Item


@dataclass(frozen=True, slots=True)
class Address:
    """The servers, the namespace and the table of the office."""

    endpoint_url: str
    is_embedded: bool
    redis_url: str
    namespace: str
    table: str


class OtherProcess:
    """The office in the other process, as the parent uses it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, times: int = 1) -> Asked:
        """See Office.ask."""
        told = self.tell({"ask": times})
        revenue = {tuple(group): Decimal(total) for *group, total in told.pop("revenue")}
        return Asked(**told, revenue=revenue)

    def put(self, order: Item) -> None:
        """See Office.put."""
        self.tell({"put": order})

    def tell(self, message: Any) -> Any:
        """Send a command and wait for its answer."""
        to, back = self._process.stdin, self._process.stdout
        assert to is not None  # noqa: S101 - for the type checker: both are pipes
        assert back is not None  # noqa: S101
        try:
            to.write(json.dumps(message) + "\n")
            to.flush()
            answer = back.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise DemoError("the second process ended too early")
        return json.loads(answer)


@contextmanager
def other_process(address: Address) -> Iterator[OtherProcess]:
    """An office in another process for as long as the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "daxlite.demo.other_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=surroundings(aws=not address.is_embedded),
        text=True,
        start_new_session=True,  # as for moto: Ctrl-C ends the demo, and the demo ends this process
    )
    try:
        other = OtherProcess(process)
        # By its standard input, because other users can see the command line, and the URL may hold a password.
        other.tell({name: getattr(address, name) for name in Address.__slots__})
        yield other
    finally:
        stop(process, gently=True)


def serve() -> None:
    """Read the address, then answer commands until the input ends."""
    from daxlite.aggregations import AggregationCache
    from daxlite.demo.connect import embedded_client, external_client
    from daxlite.demo.office import Office

    with ExitStack() as stack:
        address = Address(**json.loads(sys.stdin.readline()))
        inner = (embedded_client if address.is_embedded else external_client)(address.endpoint_url)
        stack.callback(inner.close)
        aggregations = AggregationCache(address.redis_url, address.namespace)
        stack.callback(aggregations.close)
        office = Office(inner, aggregations, address.table)
        _say("ready")
        for line in sys.stdin:
            message = json.loads(line)
            if "put" in message:
                office.put(message["put"])
                _say("done")
            else:
                _say(_told(office.ask(message["ask"])))


def _told(asked: Asked) -> dict[str, Any]:
    revenue = [[*group, str(total)] for group, total in asked.revenue.items()]
    return {"source": asked.source, "reads": asked.reads, "seconds": asked.seconds, "revenue": revenue}


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
