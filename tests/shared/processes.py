"""A process of a real fleet: a cache that shares a real Valkey, and a DynamoDB of one item that all processes share,
because it lies in that Valkey, too.

As a program: `python -m tests.shared.processes URL NAMESPACE` puts a version for each line that it reads, and says what
a read shows then.
"""

import signal
import sys
from typing import Any

import redis

from daxlite import Cache, CacheConfig, Shared, TableConfig
from daxlite.calls.context import Context
from daxlite.calls.dialects import Typed
from daxlite.edges.dispatcher import Dispatcher
from tests.scripted_client import KEY, SCHEMA, SCOPE, TABLE, made

LIFE = 100_000  # milliseconds


class Process:
    """Reads and writes the item. budget: seconds for a step with Valkey."""

    def __init__(self, url: str, namespace: str, *, local: bool = True, budget: float = 5.0, **settings: Any) -> None:
        self.url, self.key = url, f"{namespace}:item"
        config = CacheConfig(jitter=0.0, tables={TABLE: TableConfig(schema=SCHEMA)})
        self.cache = Cache(config, shared=Shared(url, namespace, local=local, budget=budget, **settings))
        assert self.cache._tier is not None
        self.membership: Any = self.cache._joined
        self.reads = 0
        """How often DynamoDB was asked."""
        memory = self.cache._memory
        context = Context(memory, Typed(), memory.names(SCOPE), tier=self.cache._tier, record_lasts=7.0)
        self._dispatcher = Dispatcher(context, self._dynamodb)

    def _dynamodb(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        with redis.Redis.from_url(self.url) as client:
            if operation == "PutItem":
                client.set(self.key, params["Item"]["v"]["N"], px=LIFE)
                return made()
            self.reads += 1
            found: Any = client.get(self.key)
            return made() if found is None else made(Item={**KEY, "v": {"N": found.decode()}})

    def get(self) -> int:
        """The version that a read shows; 0 if there is none."""
        item = self._dispatcher.call("GetItem", {"TableName": TABLE, "Key": KEY}).get("Item")
        return 0 if item is None else int(item["v"]["N"])

    def put(self, version: int) -> None:
        self._dispatcher.call("PutItem", {"TableName": TABLE, "Item": {**KEY, "v": {"N": str(version)}}})

    @property
    def hears(self) -> bool:
        return bool(self.membership.hearing.lease.until > 0)

    @property
    def is_unused(self) -> bool:
        """Whether there is neither a connection nor a thread yet."""
        pool = self.membership._connections.threads.clients._way
        threads = self.membership.hearing._thread, self.membership._outbox._thread
        return not pool._idle and threads == (None, None)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *signal: sys.exit(0))  # as docs/redis.md says
    process = Process(sys.argv[1], sys.argv[2], budget=0.05)
    process.membership._outbox.attend = lambda: None  # what is pending is delivered at the end alone
    for line in sys.stdin:
        process.put(int(line))
        sys.stdout.write(f"{process.get()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
