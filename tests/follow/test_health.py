"""The health file: whole, fresh while the command runs, and a probe's verdict on it."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daxlite.feeds.streams.reading import BLANKS
from daxlite.follow.health import WRITE_EVERY, HealthFile
from daxlite.follow.progress import BEHIND, troubles
from tests.aggregations.servers.waiting import wait_until
from tests.feeds.running import following
from tests.valkey import Valkey

DOCUMENT = Path(__file__).parents[2] / "docs" / "feeds.md"


def probe(path: Path) -> bool:
    """What the liveness probe of docs/feeds.md says of a file."""
    [command] = [
        line.strip() for line in DOCUMENT.read_text().splitlines() if line.strip().startswith('test -n "$(find')
    ]
    return subprocess.run(["sh", "-c", command.replace("/run/daxlite.json", str(path))], check=False).returncode == 0


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def file(tmp_path: Path, now: list[float]) -> HealthFile:
    return HealthFile(tmp_path / "health.json", lambda: now[0], lambda: now[0] + 1000.0)


def test_it_says_what_is_wrong(file: HealthFile, tmp_path: Path, now: list[float]) -> None:
    path = tmp_path / "health.json"
    file.write({"Orders": 0.5}, [])
    assert json.loads(path.read_text()) == {"time": 1100.0, "healthy": True, "why": [], "behind": {"Orders": 0.5}}
    assert probe(path)
    now[0] += WRITE_EVERY
    file.write({"Orders": 99.0}, ["Orders is 99 seconds behind"])
    assert json.loads(path.read_text())["why"] == ["Orders is 99 seconds behind"]
    assert not probe(path)
    assert os.listdir(tmp_path) == ["health.json"], "nothing is left beside it"


def test_it_is_written_every_few_seconds(file: HealthFile, tmp_path: Path, now: list[float]) -> None:
    for seconds, expected in ((0.0, 1100.0), (WRITE_EVERY - 0.1, 1100.0), (0.2, 1100.1 + WRITE_EVERY)):
        now[0] += seconds
        file.write({}, [])
        assert json.loads((tmp_path / "health.json").read_text())["time"] == pytest.approx(expected)


def test_an_old_file_is_not_healthy(file: HealthFile, tmp_path: Path) -> None:
    file.write({}, [])
    path = tmp_path / "health.json"
    old = time.time() - 180
    os.utime(path, (old, old))
    assert not probe(path)


def test_a_file_of_another_run_is_removed_and_so_is_its_own(file: HealthFile, tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    path.write_text('{"healthy":true}')
    file.check()
    assert not path.exists()
    file.write({}, [])
    file.remove()
    file.remove()
    assert (list(tmp_path.iterdir()), probe(path)) == ([], False)


def test_a_file_that_cannot_be_written_is_told_once(
    file: HealthFile, tmp_path: Path, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "health.json").mkdir()
    with pytest.raises(OSError, match="health"):
        file.check()
    for _ in range(2):
        file.write({}, [])
        now[0] += WRITE_EVERY
    assert [record.message.partition(":")[0] for record in caplog.records] == ["the health file cannot be written"]
    assert os.listdir(tmp_path) == ["health.json"]


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = HealthFile(None, time.monotonic, time.time)
    file.check()
    file.write({}, [])
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_makes_feeds_unhealthy() -> None:
    poll = 10.0
    limit = BEHIND + (BLANKS + 2) * poll
    assert troubles({"Orders": limit, "Prices": None}, poll=poll, pending=BEHIND) == []
    assert troubles({"Orders": limit + 1, "Prices": 0.0}, poll=poll, pending=BEHIND + 1) == [
        "Orders is 131 seconds behind",
        "Redis has not taken for 61 seconds what it is told",
    ]


def test_it_is_fresh_while_the_command_runs_and_gone_afterwards(
    moto_url: str, valkey: Valkey, namespace: str, streamed: Callable[..., str], tmp_path: Path
) -> None:
    table, path = streamed(), tmp_path / "health.json"
    path.write_text('{"healthy":true}')
    arguments = ("--table", table, "--namespace", namespace, "--start", "latest", "--health-file", str(path))
    with following(moto_url, valkey.url, *arguments) as command:
        command.begun()
        wait_until("there is a file of this run", lambda: path.exists() and "time" in path.read_text())
        assert probe(path)
        said = json.loads(path.read_text())
        assert abs(said["time"] - time.time()) < 60
        assert said["behind"].keys() == {table}
        assert command.end()[0] == 0
    assert list(tmp_path.iterdir()) == []
