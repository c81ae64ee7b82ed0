"""Threads that share one `ScriptedClient`, on a DynamoDB that holds its answers back until the test releases them."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from daxlite import KeySchema, TableSchema
from daxlite.latch import Latch
from tests.scripted_client import TABLE, ScriptedClient, made, page

PATIENCE = 10.0  # seconds after which a thread counts as hanging; nothing here takes that long
SCHEMA = TableSchema(KeySchema.of("pk"), {"by_owner": KeySchema.of("owner")})
OLD, NEW = {"S": "old"}, {"S": "new"}


def key(letter: str) -> dict[str, Any]:
    return {"pk": {"S": letter}}


class HeldDynamoDB:
    """A DynamoDB that holds the answers to reads back until they are released."""

    def __init__(self) -> None:
        self.value = OLD
        self.errors: list[BaseException] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.arrived = threading.Semaphore(0)
        self._released = threading.Event()

    def __call__(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((operation, params))
        error = self.errors.pop(0) if self.errors else None
        answer = getattr(self, operation)(params)
        if operation not in ("PutItem", "BatchWriteItem"):
            self.arrived.release()
            assert self._released.wait(PATIENCE), "the test did not release the answers"
        if error is not None:
            raise error
        return answer

    def release(self) -> None:
        self._released.set()

    def item(self, key: dict[str, Any]) -> dict[str, Any]:
        return {**key, "v": self.value, "nested": {"M": {"list": {"L": [{"N": "1"}]}}}}

    def GetItem(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return made(Item=self.item(params["Key"]))

    def Query(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return page(self.item(key("a")), LastEvaluatedKey=key("a"))

    Scan = Query

    def BatchGetItem(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        keys = {name: asked["Keys"] for name, asked in params["RequestItems"].items()}
        responses = {name: [self.item(one) for one in each] for name, each in keys.items()}
        return made(Responses=responses, UnprocessedKeys={})

    def PutItem(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.value = params["Item"]["v"]
        return made()

    @property
    def keys_asked(self) -> Counter[str]:
        """How often each item was asked for."""
        asked = [params["Key"] for operation, params in self.sent if operation == "GetItem"]
        for operation, params in self.sent:
            if operation == "BatchGetItem":
                asked += [one for each in params["RequestItems"].values() for one in each["Keys"]]
        return Counter(one["pk"]["S"] for one in asked)


class Threads:
    """Threads that share one wrapped client, each with the result or the error of its call."""

    def __init__(self) -> None:
        self.dynamodb = HeldDynamoDB()
        self.client = ScriptedClient(schema=SCHEMA, config={"settle_window": 0}, dynamodb=self.dynamodb)
        self.cache = self.client.cache
        self.waiting = threading.Semaphore(0)
        self.timeouts: list[float | None] = []
        self.client.memory._state.new_latch = self._new_latch
        self._threads: dict[str, threading.Thread] = {}
        self.results: dict[str, Any] = {}

    def _new_latch(self) -> Latch:
        threads = self

        class Watched(Latch):
            def wait(self, timeout: float) -> None:
                threads.timeouts.append(timeout)
                threads.waiting.release()
                super().wait(PATIENCE)
                assert self._is_open, "this follower is never released"

        return Watched()

    def start(self, name: str, call: Callable[[], Any]) -> None:
        def work() -> None:
            try:
                self.results[name] = call()
            except BaseException as error:  # noqa: BLE001 - it is the result of this thread
                self.results[name] = error

        self._threads[name] = threading.Thread(target=work, daemon=True)
        self._threads[name].start()

    def leader(self, call: Callable[[], Any]) -> None:
        """Start a thread, whose call reaches DynamoDB."""
        self.start(f"leader {len(self._threads)}", call)
        assert self.dynamodb.arrived.acquire(timeout=PATIENCE), "the leader sent nothing"

    def followers(self, number: int, call: Callable[[], Any]) -> list[str]:
        """Start threads that wait for a leader. Returns their names."""
        names = [f"follower {len(self._threads) + each}" for each in range(number)]
        for name in names:
            self.start(name, call)
        for _ in names:
            assert self.waiting.acquire(timeout=PATIENCE), "a follower does not wait: it asked for itself"
        return names

    def end(self) -> dict[str, Any]:
        """Release the answers. Returns the results by the names of the threads."""
        self.dynamodb.release()
        for name, thread in self._threads.items():
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{name} hangs"
        return {name: self.results[name] for name in self._threads}

    # Calls

    def get(self, letter: str = "a", **params: Any) -> Any:
        return self.client.get(Key=key(letter), **params)

    def batch(self, letters: str) -> Any:
        return self.client("BatchGetItem", RequestItems={TABLE: {"Keys": [key(letter) for letter in letters]}})

    def query(self) -> Any:
        return self.client.query()

    def put(self, letter: str = "a") -> Any:
        return self.client.put({**key(letter), "v": NEW})


READS: dict[str, Callable[[Threads], Any]] = {
    "get": Threads.get,
    "get a part": lambda threads: threads.get(ProjectionExpression="v"),
    "query": Threads.query,
    "query an index": lambda threads: threads.client.by_owner("ann"),
    "scan": lambda threads: threads.client("Scan"),
    "batch": lambda threads: threads.batch("abc"),
}
