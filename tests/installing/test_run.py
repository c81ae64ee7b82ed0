"""`daxlite run`: a program whose code knows nothing of daxlite answers from a cache."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import daxlite
from daxlite.cli import app
from daxlite.startup import sitecustomize
from daxlite.startup.command import HERE, environment

SOURCE = str(Path(daxlite.__file__).parents[1])
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "eu-west-1"}
LOG = "import logging, sys; logging.basicConfig(level=logging.INFO, format='%(message)s')\n"
CLIENT = "import boto3; client = boto3.client('dynamodb')\n"
IS_COVERED = (
    "print('_make_api_call' in client._make_api_call.__qualname__ and 'routing' in client._make_api_call.__module__)"
)


def run_program(code: str, *paths: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a program as `daxlite run` would, with these directories in PYTHONPATH."""
    before = {**os.environ, **KEYS, "PYTHONPATH": os.pathsep.join([*map(str, paths), SOURCE])}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env=environment(before, settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=os.sep,  # where there is no daxlite
    )


def test_a_program_that_knows_nothing_of_it_is_covered(tmp_path: Path) -> None:
    """From the command line, with the arguments, the exit status and the signals of the program."""
    code = f"{LOG}{CLIENT}{IS_COVERED}\nprint(sys.argv[1:], flush=True)\nif sys.argv[1:]: sys.exit(7)\nsys.stdin.read()"
    file = tmp_path / "program.py"
    file.write_text(code)
    command = [sys.executable, "-m", "daxlite", "run", "--table", "Orders", "--share", "--", sys.executable, str(file)]
    settings: dict[str, Any] = {"env": {**os.environ, **KEYS, "PYTHONPATH": SOURCE}, "text": True}
    done = subprocess.run([*command, "-x", "a b"], **settings, capture_output=True, check=False, timeout=60)
    assert done.stdout == "True\n['-x', 'a b']\n", done.stderr
    assert done.returncode == 7
    assert "<daxlite installed: botocore.client.BaseClient; tables Orders; answers shared by all clients" in done.stderr
    with subprocess.Popen(command, **settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as going:
        assert going.stdout is not None
        assert [going.stdout.readline() for _ in range(2)] == ["True\n", "[]\n"]
        going.send_signal(signal.SIGTERM)
        assert going.wait(60) == -signal.SIGTERM


def test_a_program_without_boto3_imports_nothing_more() -> None:
    """Not even typing, which takes longer than all that runs here."""
    code = "import sys, json; print(json.dumps([sorted(sys.modules), sys.path]))"
    plain = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": SOURCE},
        capture_output=True,
        check=True,
        cwd=os.sep,
    )
    modules, path = json.loads(run_program(code).stdout)
    before, path_before = json.loads(plain.stdout)
    assert set(modules) - set(before) == {"sitecustomize"}
    assert path == path_before


def test_a_program_that_makes_no_dynamodb_client_does_not_import_daxlite() -> None:
    code = """
    import sys, boto3
    from botocore.client import BaseClient
    import botocore.client, inspect
    client = boto3.client("sts")
    assert not [name for name in sys.modules if name.partition(".")[0] == "daxlite"]
    assert "BaseClient" in inspect.getsource(botocore.client), "its loader is as ever"
    init = BaseClient.__init__
    boto3.client("dynamodb")
    assert "daxlite.edges.installing" in sys.modules
    assert BaseClient.__init__ is not init, "botocore's own again"
    """
    done = run_program(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_cache_has_the_settings_of_the_environment() -> None:
    code = f"""{CLIENT}
import daxlite
print(daxlite.cache_of(client).config.item_ttl, *daxlite.install(tables=["Or*"]).tables)
"""
    done = run_program(code, DAXLITE_ITEM_TTL="7", DAXLITE_INSTALL_TABLES="Or*", DAXLITE_INSTALL_SHARE="off")
    assert (done.stdout, done.stderr) == ("7.0 Or*\n", "")


def test_the_sitecustomize_that_it_hides_runs_too(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.hidden = __file__")
    done = run_program(
        f"import sys; print(sys.hidden, sys.modules['sitecustomize'].__file__); {CLIENT}{IS_COVERED}", tmp_path
    )
    file = str(tmp_path / "sitecustomize.py")
    assert (done.stdout, done.stderr) == (f"{file} {file}\nTrue\n", "")


def test_one_that_fails_is_reported_as_python_reports_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import no_such_module")
    done = run_program(f"{CLIENT}{IS_COVERED}", tmp_path)
    assert done.stdout == "True\n"
    assert "no_such_module" in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"DAXLITE_INSTALL_TABLES": "Orders, no name!"}, "ValueError: tables has 'no name!'"),
        ({"DAXLITE_ITEM_TTL": "soon"}, "DAXLITE_ITEM_TTL is 'soon'"),
        ({"DAXLITE_INSTALL_SHARE": "maybe"}, "DAXLITE_INSTALL_SHARE is 'maybe'; it must be 1, true,"),
        ({"DAXLITE_CONFIG": "/none.toml"}, "'/none.toml' The file is named by DAXLITE_CONFIG."),
        ({"DAXLITE_INSTALL_SHARE": "1", "DAXLITE_INSTALL_PRINCIPAL": "a"}, "either a principal or share"),
    ],
)
def test_with_wrong_settings_the_program_runs_without_a_cache(settings: dict[str, str], message: str) -> None:
    done = run_program(f"{CLIENT}{IS_COVERED}", **settings)
    assert (done.returncode, done.stdout) == (0, "False\n")
    assert "daxlite is not installed, so the program runs without a cache: " in done.stderr
    assert message in done.stderr


def test_where_daxlite_cannot_be_imported_the_program_runs(tmp_path: Path) -> None:
    (tmp_path / "daxlite").mkdir()
    (tmp_path / "daxlite" / "__init__.py").write_text("raise LookupError('broken')")
    done = run_program(f"{CLIENT}print(client.meta.region_name)", tmp_path)
    assert (done.returncode, done.stdout) == (0, "eu-west-1\n")
    assert done.stderr == "daxlite cannot be imported, so the program runs without a cache: LookupError: broken\n"


def test_a_program_that_installs_by_itself_is_left_alone() -> None:
    code = """
    import boto3, daxlite
    cache = daxlite.Cache()
    first = daxlite.install(cache, ["Orders"])
    assert daxlite.cache_of(boto3.client("dynamodb")) is cache
    assert daxlite.install(cache, ["Orders"]) is first
    """
    done = run_program(code, DAXLITE_INSTALL_TABLES="Others")
    assert (done.returncode, done.stderr) == (0, "")


def test_programs_that_the_program_starts_are_covered(tmp_path: Path) -> None:
    """As the workers of a server that starts them anew."""
    inner = f"{CLIENT}{IS_COVERED}"
    done = run_program(f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {inner!r}]))")
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_of_threads_that_make_their_first_client_at_once_one_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the second one is made while the first one is looked at."""
    installed: list[None] = []
    others = [True]

    class BaseClient:
        @property
        def service_name(self) -> str:
            if others:
                others.clear()
                BaseClient()
            return "dynamodb"

        service_model = meta = property(lambda self: self)

    monkeypatch.setattr(sitecustomize, "_install", lambda: installed.append(None))
    sitecustomize._install_with_the_first_client(SimpleNamespace(BaseClient=BaseClient))  # type: ignore[arg-type]
    BaseClient()
    BaseClient()
    assert len(installed) == 1


def test_the_directory_stands_first_and_once() -> None:
    again = environment(environment({"PYTHONPATH": "a"}, {}), {"X": "1"})
    assert again == {"PYTHONPATH": os.pathsep.join([HERE, "a"]), "X": "1"}
    assert environment({}, {})["PYTHONPATH"] == environment({"PYTHONPATH": ""}, {})["PYTHONPATH"] == HERE


def test_an_empty_path_stays_for_it_is_the_current_directory() -> None:
    before = os.pathsep.join(["", "src", ""])
    assert environment({"PYTHONPATH": before}, {})["PYTHONPATH"] == os.pathsep.join([HERE, before])


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["no-such-command-here"], 127, "daxlite run: no-such-command-here: No such file or directory"),
        ([""], 127, "daxlite run: : No such file or directory"),
        ([os.devnull], 126, f"daxlite run: {os.devnull}: Permission denied"),
        (["--table", "no name!", "true"], 2, "tables has 'no name!'"),
        (["--share", "--principal", "a", "true"], 2, "either a principal or share"),
    ],
)
def test_what_cannot_be_run_is_said(arguments: list[str], status: int, message: str) -> None:
    result = CliRunner().invoke(app, ["run", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == status
    assert message in result.output
