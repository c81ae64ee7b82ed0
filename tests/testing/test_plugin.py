"""pytest's plugin: clean caches for each test, and tests that run with caching off or on."""

import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[2]
PLUGIN = ("-p", "pytest_daxlite", "-p", "no:cacheprovider")

MODULE = """
import pytest
from daxlite.cache.switch import SWITCH
from tests.testing.test_switch import a_client, hits

client = a_client()  # as an application's module makes it
"""

TESTS = """
def test_one():
    assert hits(client) == [False, True]

def test_another():
    assert hits(client) == [False, True]
    assert client.cache.stats().total.hits == 1

@pytest.mark.daxlite(clean=False)
def test_with_what_is_there():
    assert hits(client) == [True, True]
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other plugins than the one that is given, whether or not it is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.syspath_prepend(ROOT)


def run(pytester: pytest.Pytester, tests: str, *arguments: str, **outcomes: int) -> Any:
    pytester.makepyfile(MODULE + tests)
    result = pytester.runpytest_inprocess(*PLUGIN, "--strict-markers", *arguments)
    result.assert_outcomes(**outcomes)
    return result


def test_each_test_begins_with_clean_caches(pytester: pytest.Pytester) -> None:
    run(pytester, TESTS, passed=3)


def test_an_option_leaves_the_caches_alone(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ndaxlite_clean = false")
    again = "\n@pytest.mark.daxlite(clean=True)\ndef test_clean(): assert hits(client) == [False, True]\n"
    result = run(pytester, TESTS + again, "--strict-config", passed=3, failed=1)
    result.stdout.fnmatch_lines("FAILED *::test_another *")


def test_fixtures_of_a_test_are_made_after_cleaning(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
@pytest.fixture(scope="session", autouse=True)
def warm():
    assert hits(client) == [False, True]

def test_one(warm):
    assert hits(client) == [True, True]

def test_another(warm):
    assert hits(client) == [False, True]
""",
        passed=2,
    )


def test_a_marker_runs_a_test_with_caching_off_or_on(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
@pytest.fixture
def fixture():
    yield hits(client)
    assert SWITCH.is_off

@pytest.mark.daxlite(disabled=True)
class Test:
    def test_off(self, fixture):
        assert fixture == hits(client) == [False, False]

    @pytest.mark.daxlite(enabled=True)
    def test_the_closest_marker_decides(self):
        assert SWITCH.is_on_for_mocks

    @pytest.mark.daxlite(disabled=False)
    def test_neither(self):
        assert not SWITCH.is_off

@pytest.mark.daxlite(disabled=True)
def test_it_ends_where_a_fixture_fails(fixture):
    client.cache.stats().total.none

@pytest.fixture
def broken():
    raise ValueError

@pytest.mark.daxlite(disabled=True)
def test_broken(broken): ...

def test_after():
    assert not SWITCH.is_off and not SWITCH.is_on_for_mocks
""",
        passed=4,
        failed=1,
        errors=1,
    )


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("clean='no'", "takes clean=, disabled= and enabled=, each True or False"),
        ("clear=True", "takes clean=, disabled= and enabled=, each True or False"),
        ("False", "takes clean=, disabled= and enabled=, each True or False"),
        ("enabled=True, disabled=True", "takes one of disabled=True and enabled=True"),
    ],
)
def test_a_marker_that_is_wrong(pytester: pytest.Pytester, marker: str, message: str) -> None:
    result = run(pytester, f"\n@pytest.mark.daxlite({marker})\ndef test_it(): ...\n", errors=1)
    result.stdout.fnmatch_lines(f"*::test_it: the marker daxlite {message}")


def test_the_plugin_is_found_and_imports_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """As installed: by the entry point in pyproject.toml, and in a run that has nothing to do with daxlite."""
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    installed = pytester.mkdir("installed-1.dist-info")
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1\n")
    lines = ["[pytest11]", *(f"{name} = {module}" for name, module in entries.items())]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (pytester.path, ROOT))))
    pytester.makepyfile(
        """
        import sys

        def test_it(pytestconfig):
            assert pytestconfig.pluginmanager.get_plugin("daxlite").__name__ == "pytest_daxlite"
            assert {"boto3", "botocore", "daxlite"}.isdisjoint(sys.modules)
        """
    )
    pytester.run(sys.executable, "-m", "pytest", "-p", "daxlite").assert_outcomes(passed=1)
