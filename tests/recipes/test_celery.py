"""The recipe for Celery, in a worker of two processes, which the parent forks after it has imported the tasks."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import celery

from tests.recipes.dynamodb import Relay
from tests.recipes.recipe import PATIENCE, environment, recipes, running, wait_for
from tests.valkey import Valkey

# The tasks, and one that both processes have at a time. close() leaves a trace.
WORKER = """
import os, time
from pathlib import Path
from settings import SETTINGS
import recipe

app = recipe.app
app.conf.update(SETTINGS)
close = recipe.cache.close

def traced_close():
    close()
    Path(f"closed.{os.getpid()}").touch()

recipe.cache.close = traced_close

@app.task
def meet(name):
    Path(f"{name}.{os.getpid()}").touch()
    deadline = time.monotonic() + 60
    while len(list(Path().glob(f"{name}.*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid(), recipe.total("o#1")
"""
ROOT = "ignore:You're running the worker with superuser"
"""A warning that is about the tests' user."""


def test_what_one_process_writes_both_show_and_each_closes_its_cache(
    dynamodb: Relay, own_valkey: Valkey, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()
    shared = {"broker_url": own_valkey.url, "result_backend": f"file://{tmp_path}/results"}
    (tmp_path / "settings.py").write_text(f"SETTINGS = {shared!r}", encoding="utf-8")
    (tmp_path / "recipe.py").write_text(recipes()["Celery"], encoding="utf-8")
    (tmp_path / "worker.py").write_text(WORKER, encoding="utf-8")
    caller = celery.Celery("caller", set_as_current=False)
    caller.conf.update(shared)
    meetings = 0

    def run(*tasks: tuple[str, ...]) -> list[Any]:
        sent = [caller.send_task(name, arguments) for name, *arguments in tasks]
        return [each.get(timeout=PATIENCE, interval=0.02) for each in sent]

    def totals() -> dict[int, str]:
        """What each of the processes reads."""
        nonlocal meetings
        meetings += 1
        return dict(run(*[("worker.meet", f"meeting{meetings}")] * 2))

    command = ["-W", ROOT, "-m", "celery", "-A", "worker", "worker", "--pool", "prefork", "--concurrency", "2"]
    quiet = ["--loglevel", "warning", "--without-gossip", "--without-mingle", "--pidfile", "pid"]
    with running([*command, *quiet], tmp_path, environment(dynamodb.url, own_valkey.url, namespace)):
        assert run(("recipe.total", "o#1")) == ["9.5"]
        read = totals()
        assert list(read.values()) == ["9.5", "9.5"]
        assert dynamodb.asked.count("GetItem") == 1, "one has read it for both"
        run(("recipe.set_total", "o#1", "11"))
        wait_for(lambda: set(totals().values()) == {"11"}, "both hear of the write")
        assert dynamodb.asked.count("GetItem") == 1, "the tier keeps what is written"
        parent = int((tmp_path / "pid").read_text())
        os.kill(parent, signal.SIGTERM)
        closed = {f"closed.{pid}" for pid in read}
        wait_for(lambda: {path.name for path in tmp_path.glob("closed.*")} == closed, "both close the cache")
        os.kill(parent, signal.SIGKILL)  # it would take its time
    caller.close()
