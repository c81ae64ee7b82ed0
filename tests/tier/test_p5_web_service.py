"""Four workers of uvicorn: what was posted to one of them the others show."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daxlite.demo.leash import __file__ as leash
from tests.conftest import MakeTable
from tests.tier.worker import Setup
from tests.volume import amount

WORKERS = 4
NOTES = 8
"""So many notes are there: few, so that all workers keep all of them."""
ALLOWED = 0.1
"""Seconds after which no worker may show an older note."""
START_SECONDS = 60.0
MOST_CONNECTIONS = 400


class Worker:
    """A connection to one worker; it stays with that one."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.pid = self.post("0", "first")["worker"]

    def post(self, pk: str, text: str) -> Any:
        return self._ask("POST", pk, json.dumps({"text": text}))

    def get(self, pk: str) -> str:
        shown = self._ask("GET", pk)
        assert shown["worker"] == self.pid
        return str(shown["text"])

    def _ask(self, method: str, pk: str, body: str | None = None) -> Any:
        self._connection.request(method, f"/notes/{pk}", body, {"content-type": "application/json"})
        response = self._connection.getresponse()
        data = response.read()
        assert response.status == 200, data
        return json.loads(data)

    def close(self) -> None:
        self._connection.close()


@contextmanager
def service(setup: Setup, table: str) -> Iterator[int]:
    """The port on which the workers listen."""
    asked = {"url": setup.url, "namespace": setup.namespace, "endpoint": setup.endpoint, "table": table}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["uvicorn", "tests.tier.service:app", "--factory", "--workers", str(WORKERS), "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, leash, sys.executable, "-m", *command, "--log-level", "warning"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "NOTES": json.dumps({**asked, "budget": setup.budget})},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        assert process.stdin is not None
        try:
            yield port
        finally:
            process.stdin.close()
            process.wait()
            log.seek(0)
            sys.stdout.write(log.read().decode(errors="replace"))


def connected(port: int) -> list[Worker]:
    """A connection to each of the workers, once all of them have started."""
    workers: dict[int, Worker] = {}
    idle: list[Worker] = []
    deadline = time.monotonic() + START_SECONDS
    while len(workers) < WORKERS:
        assert time.monotonic() < deadline, f"only {len(workers)} workers answer"
        try:
            each = Worker(port)
        except OSError:
            time.sleep(0.05)
            continue
        # One that is closed might be accepted by the same worker again.
        (idle.append(each) if each.pid in workers else workers.setdefault(each.pid, each))
        if len(idle) > MOST_CONNECTIONS:
            idle.pop(0).close()
    for each in idle:
        each.close()
    return list(workers.values())


def test_p5_a_note_that_was_posted_to_one_worker_is_shown_by_the_others(
    setup: Setup, make_table: MakeTable, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, table = random.Random(21), make_table()
    at_once = late = 0
    with service(setup, table) as port:
        workers = connected(port)
        for note in range(NOTES):
            workers[0].post(str(note), "first")
            for worker in workers:
                worker.get(str(note))
        times = amount("notes of a web service")
        start = time.monotonic()
        for number in range(times):
            pk, text = str(rng.randrange(NOTES)), f"text {number}"
            writer, reader = rng.sample(workers, 2)
            writer.post(pk, text)
            posted = time.monotonic()
            if reader.get(pk) != text:
                at_once += 1
                time.sleep(max(0.0, posted + ALLOWED - time.monotonic()))
                late += reader.get(pk) != text
        seconds = time.monotonic() - start
        for worker in workers:
            worker.close()
    record_property("stale at once", at_once)
    with capsys.disabled():
        sys.stdout.write(f"\n{times} notes in {seconds:.1f} s: {at_once} stale at once, {late} after {ALLOWED} s ")
    assert late == 0
