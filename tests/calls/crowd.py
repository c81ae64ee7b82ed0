"""Threads that use one wrapped client at once, in front of a DynamoDB whose answers wait until a test lets them go."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from tests.calls.scripted import made, page

TABLE = "T"
PATIENCE = 10.0  # seconds after which a thread counts as hanging; nothing here takes that long
SCHEMA = TableSchema(KeySchema.of("pk"), {"by_owner": KeySchema.of("owner")})
OLD, NEW = {"S": "old"}, {"S": "new"}


def key(letter: str) -> dict[str, Any]:
    return {"pk": {"S": letter}}


class Latch:
    """A DynamoDB whose answers wait until the test lets them go."""

    def __init__(self) -> None:
        self.value = OLD
        self.errors: list[BaseException] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.arrived = threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((operation, params))
        error = self.errors.pop(0) if self.errors else None
        answer = getattr(self, operation)(params)
        if operation not in ("PutItem", "BatchWriteItem"):
            self.arrived.release()
            assert self._open.wait(PATIENCE), "the test forgot to open the latch"
        if error is not None:
            raise error
        return answer

    def open(self) -> None:
        self._open.set()

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


class Crowd:
    """Threads that use one wrapped client, and what came of each."""

    def __init__(self, raw: Any, **settings: Any) -> None:
        self.latch = Latch()
        raw._make_api_call = self.latch
        self.cache = Cache(CacheConfig(settle_window=0, tables={TABLE: TableConfig(schema=SCHEMA)}, **settings))
        self.client = daxlite.wrap(raw, self.cache)
        self.waiting = threading.Semaphore(0)
        self.timeouts: list[float | None] = []
        self.cache._state.new_latch = self._event
        self.threads: dict[str, threading.Thread] = {}
        self.results: dict[str, Any] = {}

    def _event(self) -> threading.Event:
        crowd = self

        class Watched(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                crowd.timeouts.append(timeout)
                crowd.waiting.release()
                assert super().wait(PATIENCE), "nobody wakes this follower"
                return True

        return Watched()

    def start(self, name: str, call: Callable[[], Any]) -> None:
        def work() -> None:
            try:
                self.results[name] = call()
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is this thread's result
                self.results[name] = error

        self.threads[name] = threading.Thread(target=work, daemon=True)
        self.threads[name].start()

    def leader(self, call: Callable[[], Any]) -> None:
        """A thread whose call has reached DynamoDB."""
        self.start(f"leader {len(self.threads)}", call)
        assert self.latch.arrived.acquire(timeout=PATIENCE), "the leader sent nothing"

    def followers(self, number: int, call: Callable[[], Any]) -> list[str]:
        """Threads that wait for another one."""
        names = [f"follower {len(self.threads) + each}" for each in range(number)]
        for name in names:
            self.start(name, call)
        for _ in names:
            assert self.waiting.acquire(timeout=PATIENCE), "a follower does not wait: it asked for itself"
        return names

    def end(self) -> dict[str, Any]:
        self.latch.open()
        for name, thread in self.threads.items():
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{name} hangs"
        return {name: self.results[name] for name in self.threads}

    # Calls

    def get(self, letter: str = "a", **params: Any) -> Any:
        return self.client.get_item(TableName=TABLE, Key=key(letter), **params)

    def batch(self, letters: str) -> Any:
        return self.client.batch_get_item(RequestItems={TABLE: {"Keys": [key(letter) for letter in letters]}})

    def query(self) -> Any:
        values = {":a": key("a")["pk"]}
        return self.client.query(TableName=TABLE, KeyConditionExpression="pk = :a", ExpressionAttributeValues=values)

    def put(self, letter: str = "a") -> Any:
        return self.client.put_item(TableName=TABLE, Item={**key(letter), "v": NEW})


READS: dict[str, Callable[[Crowd], Any]] = {
    "get": Crowd.get,
    "get a part": lambda crowd: crowd.get(ProjectionExpression="v"),
    "query": Crowd.query,
    "query an index": lambda crowd: crowd.client.query(
        TableName=TABLE,
        IndexName="by_owner",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "ann"}},
    ),
    "scan": lambda crowd: crowd.client.scan(TableName=TABLE),
    "batch": lambda crowd: crowd.batch("abc"),
}
