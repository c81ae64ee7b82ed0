"""An office, or a desk, in a process of its own: `python -m daxlite.demo.other_process`.

It reads commands from its standard input, one line of JSON each, and writes the answers to its standard output in the
same way. It exits when the input ends: however its parent dies, no process is left.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from daxlite.aggregations import AggregationCache
from daxlite.demo.connect import embedded_client, external_client
from daxlite.demo.desk import Desk, Looked
from daxlite.demo.office import Asked, Office
from daxlite.demo.server import stop, surroundings
from daxlite.demo.settings import DemoError, Item, Key


@dataclass(frozen=True, slots=True)
class Address:
    """The servers, the namespace and the table of the office or the desk."""

    endpoint_url: str
    is_embedded: bool
    redis_url: str
    namespace: str
    table: str


class OtherProcess:
    """The office or the desk in the other process, as the parent uses it."""

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

    def look_up(self, keys: Sequence[Key]) -> Looked:
        """See Desk.look_up."""
        return Looked(**self.tell({"look up": keys}))

    def wait_until_it_hears(self, seconds: float) -> None:
        """See Desk.wait_until_it_hears."""
        self.tell({"hear": seconds})

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
    """Another process, for as long as the block runs."""
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
    with ExitStack() as stack:
        address = Address(**json.loads(sys.stdin.readline()))
        answer = _answers(address, stack)
        _say("ready")
        for line in sys.stdin:
            _say(answer(json.loads(line)))


def _answers(address: Address, stack: ExitStack) -> Callable[[Any], Any]:
    """What answers commands; the office and the desk are made when they are first needed."""
    inner = (embedded_client if address.is_embedded else external_client)(address.endpoint_url)
    stack.callback(inner.close)

    @cache
    def office() -> Office:
        aggregations = AggregationCache(address.redis_url, address.namespace)
        stack.callback(aggregations.close)
        return Office(inner, aggregations, address.table)

    @cache
    def desk() -> Desk:
        made = Desk(inner, address.redis_url, address.namespace, address.table)
        stack.callback(made.close)
        return made

    def answer(message: Any) -> Any:
        ((command, given),) = message.items()
        if command == "put":
            return office().put(given)
        if command == "ask":
            return _told(office().ask(given))
        if command == "look up":
            return asdict(desk().look_up(given))
        return desk().wait_until_it_hears(given)

    return answer


def _told(asked: Asked) -> dict[str, Any]:
    revenue = [[*group, str(total)] for group, total in asked.revenue.items()]
    return {"source": asked.source, "reads": asked.reads, "seconds": asked.seconds, "revenue": revenue}


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
