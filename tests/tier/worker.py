"""What runs in a process of its own: a cache with a tier, a wrapped client, and orders to carry out."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import math
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

import boto3
import redis
from botocore.config import Config
from redis.cluster import ClusterNode

import daxlite
from tests.tier.points import Points

START_SECONDS = 20.0


@dataclass(frozen=True)
class Setup:
    """How a process makes its cache and its client."""

    endpoint: str
    url: str
    """Of the Valkey server."""
    namespace: str
    cluster: tuple[tuple[str, int], ...] = ()
    """Hosts and ports of the nodes of a cluster, which takes the place of the server."""
    config: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    budget: float = 1.0
    """Seconds for one step with Valkey: with less, a process on a busy machine may find that the tier is of no use just
    when a test looks at it."""
    wrap: dict[str, Any] = field(default_factory=dict)
    timeout: float = 5.0
    """Of a connection to DynamoDB, and of a reply."""
    denied: tuple[str, ...] = ()
    """Operations that the credentials do not allow."""
    account: str | None = None
    """Of the credentials."""

    def but(self, **changes: Any) -> Setup:
        return replace(self, **changes)


@dataclass(frozen=True)
class Answer:
    """What a call returned."""

    response: dict[str, Any]
    sent: tuple[str, ...]
    """The operations that went to DynamoDB meanwhile, but for descriptions of tables."""
    seconds: float

    @property
    def item(self) -> Any:
        return self.response.get("Item")

    @property
    def items(self) -> Any:
        return self.response["Items"]


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record.getMessage())


class Worker:
    """Carries out orders; each public method is one."""

    def __init__(self) -> None:
        self.points = Points()
        self._lines = Lines()
        logging.getLogger("daxlite").addHandler(self._lines)
        self.cache: Any = None
        self._plain: dict[Any, Any] = {}

    def open(self, setup: Setup) -> None:
        """Make a new cache and a new client, in the place of what was there."""
        self.close()
        self._setup = setup
        self._lines.kept.clear()
        self.points.denied = frozenset(setup.denied)
        config = dict(setup.config)
        if setup.tables:
            config["tables"] = {name: daxlite.TableConfig(**each) for name, each in setup.tables.items()}
        server: Any = setup.url
        if setup.cluster:
            server = redis.RedisCluster(startup_nodes=[ClusterNode(*each) for each in setup.cluster])
        shared = daxlite.Shared(server, setup.namespace, **{"budget": setup.budget, **setup.shared})
        self.cache = daxlite.Cache(daxlite.CacheConfig(**config), shared=shared)
        made_for = setup.endpoint, setup.timeout, setup.account
        if made_for not in self._plain:
            self._plain[made_for] = _plain_client(setup)
        self.client = daxlite.wrap(self._plain[made_for], cache=self.cache, **setup.wrap)

    def tasks(self) -> contextlib.AbstractContextManager[Any]:
        """Tasks of an event loop that use the cache; see `tasks.Tasks`."""
        from tests.tier.tasks import tasks

        return tasks(_connection(self._setup), self.cache)

    def reopen(self) -> None:
        """The same again."""
        self.open(self._setup)

    def sent(self) -> tuple[str, ...]:
        """What went to DynamoDB since it was last asked, but for descriptions."""
        sent, self.points.sent = self.points.sent, []
        return tuple([each for each in sent if not each.startswith("Describe")])

    def call(self, operation: str, **params: Any) -> Answer:
        """Call an operation, by its name in Python."""
        self.sent()
        start = time.monotonic()
        response = getattr(self.client, operation)(**params)
        seconds = time.monotonic() - start
        response.pop("ResponseMetadata", None)
        return Answer(response, self.sent(), seconds)

    def calls(self, number: int, operation: str, **params: Any) -> tuple[str, ...]:
        """Call an operation several times, and return what went to DynamoDB."""
        self.sent()
        for _ in range(number):
            getattr(self.client, operation)(**params)
        return self.sent()

    def crowd(self, threads: int, at: float, operation: str, **params: Any) -> tuple[list[Any], tuple[str, ...], float]:
        """Call an operation in many threads from one moment on: the answers, what went to DynamoDB, and the longest
        time that a call took."""
        self.sent()
        answers: list[Any] = []
        longest: list[float] = []

        def one() -> None:
            time.sleep(max(0.0, at - time.monotonic()))
            start = time.monotonic()
            response = getattr(self.client, operation)(**params)
            longest.append(time.monotonic() - start)
            answers.append(response.get("Item", response.get("Items")))

        run_all([threading.Thread(target=one) for _ in range(threads)])
        return answers, self.sent(), max(longest)

    def hears(self, table: str) -> None:
        """Wait until this process hears of changes of a table, which it has described."""
        deadline = time.monotonic() + START_SECONDS
        while not any(
            self.cache._tier.hears(known) for id, known in self.cache._tier._tables.items() if id.name == table
        ):
            if time.monotonic() > deadline:
                raise TimeoutError(f"this process has not come to hear of {table}")
            time.sleep(0.005)

    def has_heard(self) -> None:
        """Wait until all that was published before this call has been heard."""
        hearing = self.cache._joined.hearing
        before, deadline = time.monotonic(), time.monotonic() + START_SECONDS
        while True:
            lines = list(hearing._lines.all)
            if lines and all(line.proved_at is not None and line.proved_at[0] > before for line in lines):
                return
            for line in lines:
                line._next_at = -math.inf  # it asks now, not when it is due
            if time.monotonic() > deadline:
                raise TimeoutError("the subscription does not answer")
            time.sleep(0.005)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def round_trips(self) -> list[str]:
        """What was asked of Redis since the last time, but for the subscription: the commands of each round trip."""
        asked, self.points.asked = self.points.asked, []
        return asked

    def do(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the cache."""
        return getattr(self.cache, method)(*args, **kwargs)

    def arm(self, point: str, number: signal.Signals) -> None:
        """See `Points.arm`."""
        self.points.arm(point, number)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function of a module with this worker."""
        return function(self, *args)

    def logged(self) -> list[str]:
        """What was logged since the cache was made."""
        return list(self._lines.kept)

    def faults(self) -> int:
        """How often daxlite failed, and hid it."""
        return int(self.cache.stats().faults)

    def close(self) -> None:
        if self.cache is not None:
            self.cache.close()
            self.cache = None


def _plain_client(setup: Setup) -> Any:
    return boto3.Session().client("dynamodb", **_connection(setup))


def _connection(setup: Setup) -> dict[str, Any]:
    """How a client is made."""
    timeouts = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=setup.timeout,
        read_timeout=setup.timeout,
        proxies={},
        max_pool_connections=64,
    )
    return {
        "endpoint_url": setup.endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
        "config": timeouts,
        **({} if setup.account is None else {"aws_account_id": setup.account}),
    }


def run_all(threads: list[threading.Thread]) -> None:
    """Start threads, and wait for all of them."""
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def serve(orders: Connection) -> None:
    """Carry out orders until the other end is closed."""
    faulthandler.register(signal.SIGUSR1)
    worker = Worker()
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, args, kwargs = orders.recv()
            try:
                reply: tuple[bool, Any] = True, getattr(worker, name)(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - for the one that gave the order
                reply = False, _portable(error)
            orders.send(reply)
    os._exit(0)


def _portable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - botocore's own classes of exceptions are made at run time
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
