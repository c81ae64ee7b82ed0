"""The public face: names, signatures, types, and what importing it costs. A change here is a change for everybody."""

import inspect
import json
import operator
import subprocess
import sys
from pathlib import Path

import pytest

import daxlite

NAMES = [
    "Cache",
    "CacheConfig",
    "CacheStats",
    "Counts",
    "KeySchema",
    "TableConfig",
    "TableSchema",
    "bypass",
    "wrap",
]
# Names and defaults of parameters; "*" stands before those that are given by name only.
SIGNATURES = {
    "wrap": "x, cache=None, config=None",
    "bypass": "",
    "Cache": "config=None, *, clock=<monotonic>, wall_clock=<time>, random=<random>",
    "Cache.stats": "self",
    "Cache.clear": "self",
    "Cache.invalidate": "self, table, key=None",
    "KeySchema": "hash, range=()",
    "KeySchema.of": "hash, range=None",
    "TableSchema": "key, global_indexes=<dict>, local_indexes=frozenset()",
    "TableConfig": "*, enabled=True, item_ttl=UNSET, query_ttl=UNSET, negative_ttl=UNSET, "
    "schema=None, ttl_attribute=None",
}
CONFIG = {
    "item_ttl": 300.0,
    "query_ttl": 300.0,
    "jitter": 0.1,
    "settle_window": 5.0,
    "max_bytes": 256 * 1024 * 1024,
    "max_entry_bytes": 4 * 1024 * 1024,
    "query_invalidation": "exact",
    "tables": {},
}
COUNTS = {
    "hits",
    "misses",
    "joined",
    "consistent_misses",
    "fills",
    "discarded_fills",
    "invalidations",
    "evictions",
    "expirations",
    "entries",
    "bytes",
    "bypasses",
    "hit_ratio",
}


def shown(signature: inspect.Signature) -> str:
    parts, by_name = [], False
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and not by_name:
            parts.append("*")
            by_name = True
        default = parameter.default
        if default is parameter.empty:
            parts.append(name)
        elif "factory" in repr(default):
            parts.append(f"{name}=<dict>")
        elif callable(default):
            parts.append(f"{name}=<{default.__name__}>")
        else:
            parts.append(f"{name}={default!r}")
    return ", ".join(parts)


# Taken as the module is imported: the suite puts something around Cache.__init__ while a test runs.
PRESENT = {name: inspect.signature(operator.attrgetter(name)(daxlite)) for name in SIGNATURES}


def test_the_public_names() -> None:
    assert daxlite.__all__ == NAMES
    assert sorted(NAMES) == NAMES
    for name in NAMES:
        assert inspect.getdoc(getattr(daxlite, name)), f"{name} is not documented"


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_signatures_of_what_is_called(name: str) -> None:
    assert shown(PRESENT[name]) == SIGNATURES[name]


def test_the_settings_and_their_defaults() -> None:
    config = daxlite.CacheConfig()
    assert {name: getattr(config, name) for name in CONFIG} == CONFIG
    signature = inspect.signature(daxlite.CacheConfig)
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in signature.parameters.values())
    assert signature.parameters.keys() >= CONFIG.keys() | {"negative_ttl"}


def test_the_statistics() -> None:
    stats = daxlite.Cache().stats()
    assert {name for name in dir(stats.total) if not name.startswith("_")} >= COUNTS
    assert {name for name in dir(stats) if not name.startswith("_")} == {"tables", "total", "faults", "in_flight"}


def test_every_public_method_of_a_cache_is_documented() -> None:
    for name, method in inspect.getmembers(daxlite.Cache, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.getdoc(method), f"Cache.{name} is not documented"


# What it takes to import


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


def test_importing_it_takes_nothing_but_what_it_needs(tmp_path: Path) -> None:
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
    unwanted = {"moto", "rich", "typer", "redis", "fakeredis", "pytest", "hypothesis", "mypy", "aiobotocore", "flask"}
    assert unwanted.isdisjoint(modules)
    assert {"boto3", "cachetools", "msgspec", "wrapt"} <= set(modules)


def test_importing_it_starts_no_thread_and_opens_no_file(tmp_path: Path) -> None:
    result = python("import daxlite, threading; daxlite.Cache(); print(threading.active_count())", cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("1\n", "")
