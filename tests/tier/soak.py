"""Processes that read and write one table through the tier, while everything around them fails on a schedule:
`make soak-shared`, or `python -m tests.tier.soak --seconds 300`.

Every call is logged with its interval and judged (`history.py`); in the end, when all is quiet, what each process and
what Redis would serve is compared with DynamoDB.

No read may be older than what its own process wrote, or had heard of. Beyond that, messages may be on their way for
`ALLOWED` seconds; for a lease where a process, or Valkey, stood still; and what was written while Valkey could not be
told is told as soon as it can.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import redis

from tests import servers
from tests.tier import history, soaking
from tests.tier.crew import Process
from tests.tier.faults import FAULTS, OF_A_CLUSTER, Fault
from tests.tier.soaking import KEYS, Plan, name_of
from tests.tier.worker import Setup
from tests.valkey import Valkey, running_cluster, running_valkey

ALLOWED = 0.1
"""Seconds for which a message may be on its way."""
OUTBOX = 0.25
"""Seconds after which a process tries again to tell of what it wrote while Valkey could not be told."""
LEASE = 2.0
"""Seconds for which a process serves what it keeps after it last proved that it hears."""
TIMEOUT = 1.0
WINDOW = 0.5
RECORD = 2 * TIMEOUT + WINDOW
"""Seconds for which the record of a write stands."""
CONFIG = {"settle_window": WINDOW, "item_ttl": 600.0, "query_ttl": 600.0}


@dataclass
class Report:
    """What a soak has found."""

    calls: int = 0
    reads: int = 0
    writes: int = 0
    heard: int = 0
    stale: list[history.Stale] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    surveyed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    timeline: list[str] = field(default_factory=list)
    """What happened when, by the monotonic clock."""

    def __str__(self) -> str:
        late = sorted(each.seconds for each in self.stale)
        counted = f"{self.calls} calls in {self.seconds:.0f} s: {self.reads} items read, {self.writes} written"
        lines = [
            f"{counted}, {self.heard} messages heard",
            f"what happened: {', '.join(f'{name} {count}' for name, count in self.happened.items()) or 'nothing'}",
            f"stale while a message was on its way: {len(late)}"
            + (f", median {late[len(late) // 2] * 1000:.1f} ms, longest {late[-1] * 1000:.1f} ms" if late else ""),
            *[f"    {each}" for each in self.stale[:10]],
            *self.surveyed,
            f"faults: {len(self.faults)}",
            *self.faults[:20],
            *(self.timeline if self.faults else ()),
        ]
        return "\n".join(lines)


class Soak:
    """One run."""

    def __init__(
        self,
        endpoint: str,
        nodes: list[Valkey],
        table: str,
        directory: Path,
        *,
        processes: int,
        threads: int,
        tasks: int = 0,
        seed: int,
    ) -> None:
        """nodes: a Valkey server, or those of a cluster. threads, tasks: of each process."""
        self.setup = Setup(endpoint, nodes[0].url, f"s{secrets.token_hex(6)}", config=CONFIG, timeout=TIMEOUT)
        if len(nodes) > 1:
            self.setup = self.setup.but(cluster=tuple((node.host, node.port) for node in nodes))
        self.nodes = nodes
        self.lease, self.record = LEASE, RECORD
        self.faults: dict[str, Fault] = FAULTS if len(nodes) == 1 else OF_A_CLUSTER
        self.random = random.Random(seed)
        self.report = Report()
        self.with_transactions = True
        self.surveyed_partitions = soaking.PARTITIONS
        self.pause = 0.0
        self._table, self._directory, self._seed = table, directory, seed
        self._threads, self._tasks = threads, tasks
        self._numbers = itertools.count()
        self._logs: list[tuple[int, Path]] = []
        self._until = 0.0
        self._troubles: list[tuple[float, float, float]] = []
        """From when until when something else than the way of a message bounds staleness, and by how many seconds."""
        self.processes = [Process(self.setup) for _ in range(processes)]
        for each in self.processes:
            each.ask("run", soaking.get_ready, table)

    def end(self) -> None:
        for each in self.processes:
            each.end()

    def run(self, seconds: float, faults: list[str], gap: float = RECORD + 1.0) -> Report:
        """Load the processes for so long, with these faults one after the other."""
        start = time.monotonic()
        self._until = start + seconds
        for process in self.processes:
            self._load(process)
        for name in itertools.cycle(faults) if faults else ():
            time.sleep(gap / 2)
            if time.monotonic() > self._until - gap:
                break
            begun = time.monotonic()
            self.faults[name](self)
            self.report.timeline.append(f"{begun:.3f} to {time.monotonic():.3f}: {name}")
            self.report.happened[name] += 1
            time.sleep(gap / 2)
        for process in self.processes:
            self.report.calls += process.receive(seconds + 60)
        self.report.seconds = time.monotonic() - start
        time.sleep(RECORD + WINDOW)
        self._survey()
        self._judge()
        return self.report

    def _load(self, process: Process) -> None:
        number = next(self._numbers)
        log = self._directory / f"log-{number}"
        log.touch()
        self._logs.append((number, log))
        plan = Plan(
            self._table,
            number,
            self._until,
            log,
            self._threads,
            self._tasks,
            self._seed,
            self.with_transactions,
            self.pause,
        )
        process.send("run", soaking.load, plan)

    def replace(self, place: int) -> None:
        """Kill a process, and start another one."""
        self.processes[place].kill()
        self.processes[place].end()
        self.processes[place] = Process(self.setup)
        self.processes[place].ask("run", soaking.get_ready, self._table)
        self._load(self.processes[place])

    @contextlib.contextmanager
    def trouble(self) -> Iterator[None]:
        """What happens within may keep messages from being sent, or from arriving."""
        start = time.monotonic()
        yield
        end = time.monotonic()
        self._troubles.append((start, end + LEASE, max(LEASE, end - start) + OUTBOX + ALLOWED))

    def _allowed(self, moment: float) -> float:
        return max([ALLOWED, *[bound for start, end, bound in self._troubles if start <= moment <= end]])

    def _survey(self) -> None:
        client = boto3.client("dynamodb", **servers.connection(self.setup.endpoint))
        true: dict[str, str | None] = {name_of(key): None for key in KEYS}
        for page in client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
            for item in page["Items"]:
                true[name_of((item["pk"]["S"], item["sk"]["S"]))] = item["v"]["S"]
        client.close()
        alone = Process(self.setup.but(shared={"local": False}))
        try:
            alone.ask("run", soaking.get_ready, self._table)
            # First of all what Redis has, before the processes ask it.
            for what, process in [("Redis", alone), *[(f"process {i}", each) for i, each in enumerate(self.processes)]]:
                items, pages, sent = process.ask("run", soaking.survey, self._table, self.surveyed_partitions)
                answers = soaking.ANSWERS_OF_A_PARTITION * self.surveyed_partitions
                self.report.surveyed.append(f"{what} would serve {answers - sent} of {answers} answers")
                if sent > answers / 2:
                    self.report.surveyed += [f"    it said: {line}" for line in process.ask("logged")]
                for kind, shown in (("item", items), ("page", pages)):
                    self.report.faults += [
                        f"when all is quiet, {what} shows {kind} {key} as {shown[key]}, and it is {value}"
                        for key, value in true.items()
                        if shown.get(key, value) != value
                    ]
            for i, process in enumerate(self.processes):
                if failed := process.ask("faults"):
                    self.report.faults.append(f"process {i} failed {failed} times, and hid it: {process.ask('logged')}")
        finally:
            alone.end()

    def _judge(self) -> None:
        read = history.read_logs(self._logs)
        self.report.reads = len(read.reads)
        self.report.writes = sum(map(len, read.writes.values()))
        self.report.heard = sum(map(len, read.heard.values()))
        self.report.stale = history.judge(read)
        self.report.faults += history.faults(self.report.stale, self._allowed)


def make_table(endpoint: str) -> str:
    """A table for the load."""
    client: Any = boto3.client("dynamodb", **servers.connection(endpoint))
    name = f"soak-{secrets.token_hex(6)}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    client.close()
    return name


def soak(
    backend: str,
    seconds: float,
    faults: list[str],
    *,
    processes: int,
    threads: int,
    tasks: int,
    seed: int,
    is_cluster: bool,
) -> Report:
    """One run, with servers of its own."""
    with (
        servers.running(servers.SERVERS[backend]) as dynamodb,
        running_cluster() if is_cluster else running_valkey() as valkey,
        tempfile.TemporaryDirectory() as directory,
    ):
        table = make_table(dynamodb.endpoint)
        nodes = [valkey] if isinstance(valkey, Valkey) else valkey.nodes
        run = Soak(
            dynamodb.endpoint,
            nodes,
            table,
            Path(directory),
            processes=processes,
            threads=threads,
            tasks=tasks,
            seed=seed,
        )
        run.with_transactions = dynamodb.can("transactions")
        try:
            return run.run(seconds, faults)
        finally:
            run.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long (default: %(default)s)")
    parser.add_argument("--backend", default="moto", help="which DynamoDB-compatible server (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2, help="of each process (default: %(default)s)")
    parser.add_argument("--tasks", type=int, default=2, help="of each process, beside them (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of the schedule")
    parser.add_argument("--faults", nargs="*", choices=list(OF_A_CLUSTER), metavar="FAULT")
    parser.add_argument("--cluster", action="store_true", help="three nodes instead of one server")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    try:
        report = soak(
            asked.backend,
            asked.seconds,
            list(OF_A_CLUSTER if asked.cluster else FAULTS) if asked.faults is None else asked.faults,
            processes=asked.processes,
            threads=asked.threads,
            tasks=asked.tasks,
            seed=asked.seed,
            is_cluster=asked.cluster,
        )
    except redis.RedisError as error:
        print(f"Valkey is not what it should be: {error!r}", file=sys.stderr)
        return 2
    print(report)
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
