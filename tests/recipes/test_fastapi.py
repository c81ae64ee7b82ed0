"""The recipe for FastAPI, in two workers of uvicorn."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import boto3

import daxlite
from tests.recipes.dynamodb import Relay
from tests.recipes.recipe import AWS, PATIENCE, environment, recipes, running, wait_for
from tests.valkey import Valkey

# The service, and a way to tell its workers apart. aclose() leaves a trace.
WORKER = """
import os
from pathlib import Path
from recipe import app, cache

aclose = cache.aclose

async def traced_aclose():
    await aclose()
    Path(f"closed.{os.getpid()}").touch()

cache.aclose = traced_aclose

@app.get("/worker")
def worker():
    return os.getpid(), os.getppid()
"""


class Worker:
    """A connection to one worker; it stays with that one."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.pid, self.parent = self._get("/worker")

    def total(self) -> Any:
        return self._get("/orders/o%231")["total"]["N"]

    def _get(self, path: str) -> Any:
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        data = response.read()
        assert response.status == 200, data
        return json.loads(data)

    def close(self) -> None:
        self._connection.close()


def two_workers(port: int) -> list[Worker]:
    found: dict[int, Worker] = {}
    others: list[Worker] = []

    def are_found() -> bool:
        try:
            each = Worker(port)
        except OSError:
            return False
        # One that is closed might be accepted by the same worker again.
        others.append(each) if found.setdefault(each.pid, each) is not each else None
        return len(found) == 2

    wait_for(are_found, "two workers answer")
    for each in others:
        each.close()
    return list(found.values())


def test_what_one_worker_has_read_the_other_finds_both_hear_of_writes_and_close(
    dynamodb: Relay, valkey: Valkey, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "recipe.py").write_text(recipes()["FastAPI"], encoding="utf-8")
    (tmp_path / "worker.py").write_text(WORKER, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uvicorn = ["-m", "uvicorn", "worker:app", "--workers", "2", "--port", str(port), "--log-level", "warning"]
    with running(uvicorn, tmp_path, environment(dynamodb.url, valkey.url, namespace)):
        first, second = two_workers(port)
        assert first.total() == second.total() == "9.5"
        assert dynamodb.asked.count("GetItem") == 1
        cache = daxlite.Cache(shared=daxlite.Shared(valkey.url, namespace=namespace, budget=5))
        client = boto3.client(
            "dynamodb",
            endpoint_url=dynamodb.url,
            region_name=AWS["AWS_DEFAULT_REGION"],
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        item = {"pk": {"S": "o#1"}, "total": {"N": "11"}}
        daxlite.wrap(client, cache).put_item(TableName="Orders", Item=item)
        for worker in (first, second):
            wait_for(lambda worker=worker: worker.total() == "11", "the worker hears of a write")  # type: ignore[misc]
            worker.close()
        assert dynamodb.asked.count("GetItem") == 1, "the tier keeps what is written"
        os.kill(first.parent, signal.SIGTERM)
        closed = {f"closed.{first.pid}", f"closed.{second.pid}"}
        wait_for(lambda: {path.name for path in tmp_path.glob("closed.*")} == closed, "both close the cache")
        cache.close()
        client.close()
