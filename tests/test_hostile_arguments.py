"""Each public argument and setting gets each hostile value: it is allowed, as a row says, or refused in plain words."""

import asyncio
import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from typing import Any, NamedTuple

import boto3
import fakeredis
import pytest

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, Shared, TableConfig, TableSchema, aggregations
from daxlite.aggregations import AggregationCache, AggregationConfig, AggregationOptions, AsyncAggregationCache
from daxlite.aggregations.settings import OptionNames
from tests.public_surface import MODULES, methods
from tests.wrapping.wire import HERE


class Plain:
    """A class of the application's."""


def function(*args: Any, **kwargs: Any) -> int:
    return 0


async def coroutine_function(*args: Any, **kwargs: Any) -> int:
    return 0


HOSTILE: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "False": lambda: False,
    "-1": lambda: -1,
    "0": lambda: 0,
    "1": lambda: 1,
    "1.5": lambda: 1.5,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "10**400": lambda: 10**400,
    "10**5000": lambda: 10**5000,  # one that Python refuses to write
    "''": lambda: "",
    "'x'": lambda: "x",
    "surrogate": lambda: "\ud800",
    "b''": lambda: b"",
    "b'x'": lambda: b"x",
    "[]": list,
    "['x']": lambda: ["x"],
    "[None]": lambda: [None],
    "()": tuple,
    "('x',)": lambda: ("x",),
    "{}": dict,
    "{'x': 1}": lambda: {"x": 1},
    "{None: 1}": lambda: {None: 1},
    "{'x': 10**400}": lambda: {"x": 10**400},
    "{'x': ''}": lambda: {"x": ""},
    "{'x': None}": lambda: {"x": None},
    "set()": set,
    "generator": lambda: (each for each in "x"),
    "function": lambda: function,
    "coroutine function": lambda: coroutine_function,
    "class": lambda: Plain,
    "object": object,
}


SAID = {"depends_on": "depend", "tags": "tag"}
"""What messages name instead, if one of several is wrong."""


class Row(NamedTuple):
    """One argument."""

    call: Callable[[Any], Any]
    allowed: str
    """The hostile values that it may have, in the words above, separated by bars."""
    says: str | None = None
    """What the message names instead of the argument."""


SECONDS = "0|1|1.5"
TTL = f"None|{SECONDS}|inf"
SWITCH = "True|False"
FUNCTION = "function|class"
LIST = "[]|['x']|()|('x',)|set()|generator"
TYPE = "None|class"
KEY = "|".join(set(HOSTILE) - {"generator", "function", "coroutine function", "class", "object"})
ANY = "|".join(HOSTILE)
TABLE, ITEM_KEY, REGION = "'x'", "{'x': 1}", "None|'x'"
OPTIONS = {
    "ttl": "1|1.5",
    **dict.fromkeys(("stale_while_revalidate", "stale_if_error", "early_refresh", "max_wait"), SECONDS),
    "jitter": "0",
    "lock_ttl": "1|1.5",
    "capture": SWITCH,
}


def settings(of: str, make: Callable[..., Any], **allowed: str) -> dict[str, Row]:
    """The rows of arguments that are given by name."""

    def row(name: str) -> Callable[[Any], Any]:
        return lambda value: make(**{name: value})

    return {f"{of}.{name}": Row(row(name), values) for name, values in allowed.items()}


def tables(of: str, function: Callable[..., Any], **more: str) -> dict[str, Row]:
    """The rows of a function with a table, perhaps a key, and a region."""
    given = {"table": "x", **({"key": {"x": "a"}} if "key" in more else {})}
    return settings(of, lambda **changed: function(**given | changed), table=TABLE, region=REGION, **more)


def closed(make: Callable[..., Any]) -> Callable[..., None]:
    """Makes an aggregation cache, and closes it again."""

    def call(**given: Any) -> None:
        made = make(**given)
        made._close()

    return call


def threads(**given: Any) -> AggregationCache:
    return AggregationCache(**{"server": fakeredis.FakeRedis(), "namespace": "shop", **given})


def tasks(**given: Any) -> AsyncAggregationCache:
    server = fakeredis.FakeServer()
    clients = {
        "server": fakeredis.FakeAsyncRedis(server=server),
        "sync_client": fakeredis.FakeRedis(server=server),
    }
    return AsyncAggregationCache(**{**clients, "namespace": "shop", **given})


def in_threads(method: str, **given: Any) -> Callable[..., None]:
    """Calls a method of an aggregation cache."""

    def call(**changed: Any) -> None:
        with closing(threads()) as cache:
            made = getattr(cache, method)(**given | changed)
            if method == "cached":
                made(function)

    return call


def in_tasks(method: str, **given: Any) -> Callable[..., None]:
    """The same for asyncio."""

    async def run(**changed: Any) -> None:
        cache = tasks()
        try:
            made = getattr(cache, method)(**given | changed)
            if method == "cached":
                made(coroutine_function)
            else:
                await made
        finally:
            await cache.close()

    return lambda **changed: asyncio.run(run(**changed))


def of_an_aggregation_cache(
    name: str, make: Callable[..., Any], call: Callable[..., Callable[..., None]], compute: Callable[..., Any]
) -> dict[str, Row]:
    """The rows of the one for threads and the one for asyncio."""
    clocks = dict.fromkeys(("clock", "wall_clock", "random"), "function")
    options = {**OPTIONS, "ttl": "None|1|1.5"}
    compute_with = call("get_or_compute", key="k", compute=compute)

    local = AggregationCache.local if make is threads else AsyncAggregationCache.local

    def invalidate(value: Any) -> None:
        if make is threads:
            with closing(threads()) as cache:
                cache.invalidate_tags(value)
        else:
            asyncio.run(tasks().invalidate_tags(value))

    return {
        **settings(name, closed(make), server="", namespace="'x'", config="None", on_error="", **clocks),
        **settings(f"{name}.local", closed(local), namespace="'x'", config="None", **clocks),
        **settings(f"{name}.cached", call("cached", name="f"), tags=LIST, depends_on=f"{LIST}|{FUNCTION}"),
        **settings(f"{name}.cached", call("cached", name="f"), version="None|''|'x'|-1|0|1|10**400|10**5000"),
        **settings(f"{name}.cached", call("cached", name="f"), key=f"None|{FUNCTION}", returns=TYPE, **options),
        **settings(f"{name}.cached", call("cached"), name="None|'x'"),
        **settings(f"{name}.get_or_compute", compute_with, key=KEY, tags=LIST, depends_on=LIST, returns=TYPE),
        **settings(f"{name}.get_or_compute", compute_with, **options),
        **settings(f"{name}.get_or_compute", call("get_or_compute", key="k"), compute=""),
        **settings(f"{name}.invalidate", call("invalidate"), key=KEY),
        **settings(f"{name}.peek", call("peek", key="k"), key=KEY, default=ANY, returns=TYPE),
        f"{name}.invalidate_tags.names": Row(invalidate, "'x'", says="tag"),
    }


def shared(**given: Any) -> Shared:
    return Shared(**{"server": fakeredis.FakeRedis(), **given})


def in_bulk(**given: Any) -> None:
    with Cache().bulk(**given):
        pass


def install(**given: Any) -> None:
    try:
        daxlite.install(**given)
    finally:
        daxlite.uninstall()


def of_a_file(**given: Any) -> None:
    with suppress(FileNotFoundError):
        Cache.from_toml(**given)


CLIENT = boto3.client("dynamodb", **HERE)
SCHEMA = TableSchema(KeySchema.of("pk"))
TTLS = dict.fromkeys(("item_ttl", "query_ttl", "negative_ttl", "expired_item_ttl"), TTL)

ROWS: dict[str, Row] = {
    **settings("Cache", Cache, config="None", clock="function", wall_clock="function", random="None|function"),
    **settings("Cache", Cache, shared="None"),
    **settings("Cache.bulk", in_bulk, table=TABLE),
    **settings("Cache.configure", lambda **given: Cache().configure(**given), tables="{}"),
    **settings(
        "Cache.from_env", Cache.from_env, environ="None|{}|{'x': 1}|{None: 1}|{'x': 10**400}|{'x': ''}|{'x': None}"
    ),
    "Cache.from_mapping.mapping": Row(Cache.from_mapping, "{}", says="setting"),
    **settings("Cache.from_toml", of_a_file, path="'x'"),
    **tables("Cache.invalidate", lambda **given: Cache().invalidate(**given), key=f"None|{ITEM_KEY}"),
    **tables("Cache.ainvalidate", lambda **given: asyncio.run(Cache().ainvalidate(**given)), key=f"None|{ITEM_KEY}"),
    **settings(
        "CacheConfig",
        CacheConfig,
        **TTLS,
        jitter="0|1",
        settle_window=SECONDS,
        index_settle_factor=SECONDS,
        max_bytes="1",
    ),
    **settings("CacheConfig", CacheConfig, max_entry_bytes="1", query_invalidation="", tables="{}"),
    **settings("CacheConfig.for_table", CacheConfig().for_table, name="'x'"),
    **settings("KeySchema", lambda **given: KeySchema(**{"hash": ("h",), **given}), hash="('x',)", range="()|('x',)"),
    **settings("KeySchema.of", lambda **given: KeySchema.of(**{"hash": "h", **given}), hash="'x'", range="None|'x'"),
    **settings("Shared", shared, server="", namespace="'x'", report="None|function", report_every="1|1.5"),
    **settings("Shared", shared, local=SWITCH, reads=SWITCH, require_for_writes=SWITCH, proxy=f"None|{SWITCH}"),
    **settings("Shared", shared, write_through="", account="None", encryption_keys="[]|()", compress_above="None|0|1"),
    **settings("Shared", shared, budget="1|1.5", outage_ttl=SECONDS, max_wait=SECONDS),
    **settings(
        "TableConfig", TableConfig, enabled=SWITCH, shared=SWITCH, schema="None", ttl_attribute="None|'x'", **TTLS
    ),
    **settings("TableSchema", TableSchema, key=""),
    **settings(
        "TableSchema", lambda **given: TableSchema(SCHEMA.key, **given), global_indexes="{}", local_indexes="{}"
    ),
    **settings("TableSchema.extends", SCHEMA.extends, other=""),
    "bypass.__call__.func": Row(daxlite.bypass(), "function|coroutine function", says="bypass() decorates"),
    "cache_of.x": Row(daxlite.cache_of, "", says="has no cache"),
    **settings("install", install, cache="None", tables="None|['x']|('x',)|generator", share=SWITCH),
    **settings("install", install, principal="None|'x'|function"),
    **settings(
        "wrap",
        lambda **given: daxlite.wrap(**{"x": CLIENT, **given}),
        cache="None",
        config="None",
        principal="None|'x'",
    ),
    "wrap.x": Row(daxlite.wrap, "", says="cannot be wrapped"),
    **of_an_aggregation_cache("AggregationCache", threads, in_threads, function),
    "AggregationCache.get_or_compute.compute": Row(
        lambda value: in_threads("get_or_compute", key="k")(compute=value), "function|class"
    ),
    **of_an_aggregation_cache("AsyncAggregationCache", tasks, in_tasks, coroutine_function),
    "AsyncAggregationCache.get_or_compute.compute": Row(
        lambda value: in_tasks("get_or_compute", key="k")(compute=value), "coroutine function"
    ),
    **settings("AsyncAggregationCache", closed(tasks), sync_client=""),
    **settings(
        "AggregationConfig",
        AggregationConfig,
        near_bytes="0|1",
        max_value_bytes="1",
        compress_above="None|0|1",
        encryption_keys="[]|()",
        timeout="1|1.5",
        on_error="",
        max_background="1",
        capture_threads=SWITCH,
        ttl="1|1.5",
    ),
    **settings("AggregationOptions", AggregationOptions, **OPTIONS),
    **tables("on_item", aggregations.on_item, key=ITEM_KEY),
    **tables("on_partition", aggregations.on_partition, key=ITEM_KEY, index="None|'x'"),
    **tables("on_table", aggregations.on_table),
}

MADE_BY_DAXLITE = (
    "CacheCounts",
    "CacheStats",
    "SharedStats",
    "AggregationCounts",
    "AggregationStats",
    "Dependency",
    "Installation",
)
"""What an application reads and does not make."""
OF_THE_FUNCTION = ("CachedFunction", "AsyncCachedFunction")
"""Made by `cached`; their arguments are those of the application's function."""
OF_EACH_CALL = ("KeySchema.holds", "KeySchema.partition_of", "TableSchema.keys_of")
"""Called by daxlite for each item that is written, or page that is read, with what it has looked at."""
EXEMPT = (*MADE_BY_DAXLITE, *OF_THE_FUNCTION, *OF_EACH_CALL, "Unkeyable")


def arguments() -> Iterator[str]:
    """All arguments of all public names, as the rows name them."""
    for module in (daxlite, aggregations):
        assert module.__name__ in MODULES
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, type) and issubclass(thing, Exception):
                continue  # daxlite raises it
            functions = {name: thing}
            if isinstance(thing, type):
                functions |= {f"{name}.{method}": each for method, each in methods(thing)}
            for path, each in functions.items():
                if not path.startswith(tuple(f"{exempt}." for exempt in EXEMPT)) and path not in EXEMPT:
                    yield from (f"{path}.{parameter}" for parameter in parameters(each))


def parameters(function: Callable[..., Any]) -> Iterable[str]:
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            yield from OptionNames.__annotations__
        elif parameter.name != "self":
            yield parameter.name


# Taken when the module is imported: while a test runs, the suite has wrapped the making of caches.
PRESENT = set(arguments())


def test_each_public_argument_has_a_row() -> None:
    assert set(ROWS) ^ PRESENT == set()


def test_each_row_allows_hostile_values_alone() -> None:
    for name, row in ROWS.items():
        assert set(row.allowed.split("|")) <= {*HOSTILE, ""}, name


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_hostile_value_is_allowed_or_refused_in_plain_words(name: str) -> None:
    row, wrong = ROWS[name], []
    says = row.says or SAID.get(name.rpartition(".")[2], name.rpartition(".")[2])
    for value, make in HOSTILE.items():
        said: str | None = None
        try:
            row.call(make())
        except (TypeError, ValueError) as error:
            said = f"{type(error).__name__}: {error}"
            if (
                isinstance(error, UnicodeError)
                or says not in str(error)
                or not re.search("must|allowed|give|write|takes it", said)
            ):
                wrong.append(f"{value}: {said}")
        except Exception as error:  # noqa: BLE001 - what is looked for
            said = f"{type(error).__name__}: {error}"
            wrong.append(f"{value}: {said}")
        if (said is None) != (value in row.allowed.split("|")):
            wrong.append(f"{value}: {said or 'accepted'}")
    assert not wrong, "\n".join(wrong)
