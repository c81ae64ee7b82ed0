"""`make matrix`: which Pythons it finds, and that its smoke test tells a hit from a miss."""

import os
import sys
from pathlib import Path

import pytest

import daxlite
from tools.matrix import __main__ as matrix
from tools.matrix import pythons, smoke, venvs

HERE = ".".join(map(str, sys.version_info[:2]))


def command(path: Path, says: str) -> str:
    """A command that says that it is of a version, or fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o700)
    return str(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a Python but for those that a test puts into `bin` and `pyenv`."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


@pytest.mark.skipif(os.name == "nt", reason="the commands are shell scripts")
def test_a_python_is_found_on_the_path_or_where_pyenv_has_it_and_the_newest_first(machine: Path) -> None:
    assert pythons.find("3.12") is None
    versions = machine / "pyenv" / "versions"
    for name in ("3.12.9", "3.12.10", "3.13.1"):
        newest = command(versions / name / "bin" / "python", f"echo {name.rpartition('.')[0]}")
    assert pythons.find("3.12") == str(versions / "3.12.10" / "bin" / "python")
    assert pythons.find("3.13") == newest
    command(machine / "bin" / "python3.12", "exit 127")  # a shim of a version that is not in use
    assert pythons.find("3.12") == str(versions / "3.12.10" / "bin" / "python")
    on_the_path = command(machine / "bin" / "python3.12", "echo 3.12")
    assert pythons.find("3.12") == on_the_path
    assert pythons.find("3.14") is None


def test_what_is_not_found_is_named_and_what_fails_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(name: str, python: str, requirements: object) -> str:
        raise venvs.InstallationError("no such package")

    monkeypatch.setattr(pythons, "find", {HERE: sys.executable}.get)
    monkeypatch.setattr(venvs, "make", make)
    other = "3.14" if HERE == "3.11" else "3.11"
    assert matrix.main(["--only", "pythons", "--python", other]) == 0
    assert f"not found  Python {other}" in capsys.readouterr().out
    assert matrix.main(["--only", "neighbours"]) == 1
    said = capsys.readouterr().out
    assert "beside boto3: failed  no such package" in said
    assert "failed     beside boto3" in said


def test_two_reads_ask_dynamodb_once_and_without_a_cache_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke.main("boto3") == 0
    monkeypatch.setattr(daxlite, "wrap", lambda client: client)
    assert smoke.main("boto3") == 1
    assert capsys.readouterr().out == "two reads asked DynamoDB 2 times\n"
