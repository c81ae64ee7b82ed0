"""Static types, as mypy and pyright see them: what is wrapped or cached keeps its own, and what is wrong is found
before it runs. Pyright is here as basedpyright, its distribution that PyPI has whole, node included."""

import importlib.resources
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

import daxlite

SOURCES: Final = Path(daxlite.__file__).parents[1]

PROLOGUE: Final = """
    import boto3
    import daxlite
    import daxlite.pynamodb
    from boto3.resources.base import ServiceResource
    from botocore.client import BaseClient
    from botocore.session import Session as BotocoreSession
    from daxlite import Cache, CacheConfig, wrap
    from daxlite.aggregations import AggregationCache, AsyncAggregationCache
    from mypy_boto3_dynamodb import DynamoDBClient, DynamoDBServiceResource
    from mypy_boto3_dynamodb.service_resource import Table
    from pynamodb.connection import Connection
    from pynamodb.models import Model
    from typing import Any, assert_type

    client = boto3.client("dynamodb")
    cache = Cache()
    aggregations = AggregationCache("redis://127.0.0.1", "shop")

    class Shop:
        @aggregations.cached(ttl=1)
        def total(self, day: str, limit: int = 3) -> float:
            return 1.0

        @classmethod
        @aggregations.cached(ttl=1)
        def of_all(cls, day: str) -> float:
            return 1.0

        @staticmethod
        @aggregations.cached(ttl=1)
        def of_none(day: str) -> float:
            return 1.0

    @aggregations.cached(ttl=1)
    def total(day: str) -> float:
        return 1.0
"""

RIGHT: Final = """
    assert_type(client, DynamoDBClient)
    assert_type(wrap(client), DynamoDBClient)
    response = wrap(client).get_item(TableName="Orders", Key={"pk": {"S": "o#1"}})
    response.get("Item", {}).get("pk", {}).get("S", "").upper()
    resource = wrap(boto3.resource("dynamodb"), cache=cache)
    assert_type(resource, DynamoDBServiceResource)
    assert_type(wrap(resource.Table("Orders"), config=CacheConfig(item_ttl=None)), Table)
    assert_type(wrap(boto3.Session()), boto3.Session)
    assert_type(wrap(boto3.Session()).client("dynamodb"), DynamoDBClient)
    assert_type(wrap(BotocoreSession()), BotocoreSession)

    def of_no_service(client: BaseClient, resource: ServiceResource, anything: Any) -> None:
        assert_type(wrap(client), BaseClient)
        assert_type(wrap(resource), ServiceResource)
        assert_type(wrap(anything), Any)

    daxlite.CacheConfig(
        query_invalidation="ttl",
        tables={"T": daxlite.TableConfig(schema=daxlite.TableSchema(daxlite.KeySchema.of("pk")))},
    )
    cache.invalidate("T", {"pk": "a"})
    hits: int = cache.stats().total.hits + cache.stats().tables["T"]["item"].hits
    with daxlite.bypass():
        pass

    assert_type(total("monday"), float)
    assert_type(total.peek(day="monday"), float | None)
    assert_type(Shop().total("monday", limit=4), float)
    assert_type(Shop().total.refresh("monday"), float)
    assert_type(Shop().total.peek("monday"), float | None)
    Shop().total.invalidate("monday")
    assert_type(Shop.total(Shop(), "monday"), float)
    assert_type(Shop.of_all("monday"), float)
    assert_type(Shop().of_all("monday"), float)
    assert_type(Shop.of_all.peek("monday"), float | None)
    assert_type(Shop.of_none("monday"), float)
    assert_type(Shop().of_none("monday"), float)
    @daxlite.pynamodb.wrap
    class Order(Model):
        pass

    assert_type(Order.get("o#1"), Order)
    assert_type(daxlite.pynamodb.wrap(Order, cache, principal="role-a"), type[Order])
    assert_type(daxlite.pynamodb.wrap(Connection(), config=daxlite.CacheConfig()), Connection)
    waiting = AsyncAggregationCache("redis://127.0.0.1", "shop")

    class Office:
        @waiting.cached(ttl=1)
        async def total(self, day: str) -> float:
            return 1.0

    @waiting.cached(ttl=1)
    async def counted(day: str) -> float:
        return 1.0

    async def main() -> None:
        assert_type(await counted("monday"), float)
        assert_type(await Office().total("monday"), float)
        assert_type(await Office().total.peek("monday"), float | None)
        await Office().total.invalidate("monday")
        assert_type(await Office.total(Office(), "monday"), float)
"""

# Each with what mypy calls it, and what pyright does.
WRONG: Final = {
    'wrap(boto3.client("s3"))': ("type-var", "reportArgumentType"),
    'wrap(boto3.resource("s3"))': ("type-var", "reportArgumentType"),
    "wrap(5)": ("type-var", "reportArgumentType"),
    "wrap(boto3)": ("type-var", "reportArgumentType"),
    "wrap(client, cache=3)": ("arg-type", "reportArgumentType"),
    "wrap(client, config={})": ("arg-type", "reportArgumentType"),
    "wrap(client).get_itme": ("attr-defined", "reportAttributeAccessIssue"),
    'wrap(client).get_item(TableName=3, Key={"pk": {"S": "a"}})': ("arg-type", "reportArgumentType"),
    "CacheConfig(300)": ("misc|call-arg", "reportCallIssue"),
    'CacheConfig(query_invalidation="sometimes")': ("arg-type", "reportArgumentType"),
    'CacheConfig(item_ttl="5")': ("arg-type", "reportArgumentType"),
    "Cache().invalidate(3)": ("arg-type", "reportArgumentType"),
    'Cache().stats().tables["T"]["items"]': (
        "index|typeddict-item|misc",
        "reportTypedDictNotRequiredAccess|reportGeneralTypeIssues|reportArgumentType|reportCallIssue",
    ),
    "daxlite.pynamodb.wrap(client)": ("type-var", "reportArgumentType"),
    "total(3)": ("arg-type", "reportArgumentType"),
    "total.refresh()": ("call-arg", "reportCallIssue"),
    "Shop().total(3)": ("arg-type", "reportArgumentType"),
    "Shop().total()": ("call-arg", "reportCallIssue"),
    'Shop().total.peek("monday", limit="4")': ("arg-type", "reportArgumentType"),
    "Shop.of_all(3)": ("arg-type", "reportArgumentType"),
}

# With the stubs of aiobotocore, which allows no boto3 of today's.
RIGHT_OF_ASYNCIO: Final = """
    from contextlib import AbstractAsyncContextManager
    from daxlite import wrap
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.service_resource import DynamoDBServiceResource, Table
    from typing import assert_type

    async def main(client: DynamoDBClient, resource: DynamoDBServiceResource) -> None:
        wrapped = wrap(client)
        assert_type(wrapped, DynamoDBClient)
        response = await wrapped.get_item(TableName="Orders", Key={"pk": {"S": "o#1"}})
        response.get("Item", {}).get("pk", {}).get("S", "").upper()
        assert_type(wrap(resource), DynamoDBServiceResource)
        assert_type(wrap(await resource.Table("Orders")), Table)

    async def opens(
        one: AbstractAsyncContextManager[DynamoDBClient], other: AbstractAsyncContextManager[DynamoDBServiceResource]
    ) -> None:
        async with wrap(one) as client, wrap(other) as resource:
            assert_type(client, DynamoDBClient)
            assert_type(resource, DynamoDBServiceResource)
"""

Errors = dict[tuple[str, int], set[str]]
"""The names of the errors, by file and line."""


def of_mypy(home: Path, files: list[str]) -> Errors:
    options = ["--strict", "--config-file=", "--follow-imports=silent", "--no-error-summary", "--hide-error-context"]
    environment = {**os.environ, "MYPYPATH": str(SOURCES)} if "site-packages" not in SOURCES.parts else os.environ
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        capture_output=True,
        text=True,
        cwd=home,
        env=environment,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1, f"mypy failed: {ran.stdout}{ran.stderr}"
    errors: Errors = {}
    for each in ran.stdout.splitlines():
        place, is_error, message = each.partition(": error: ")
        if is_error:
            file, _, line = place.partition(":")
            errors.setdefault((file, int(line)), set()).add(message.rpartition("[")[2].rstrip("]"))
    return errors


def of_pyright(home: Path, files: list[str]) -> Errors:
    settings = {"typeCheckingMode": "standard", "include": files, "extraPaths": [str(SOURCES)]}
    (home / "pyrightconfig.json").write_text(json.dumps(settings))
    ran = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable],
        capture_output=True,
        text=True,
        cwd=home,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1, f"pyright failed: {ran.stdout}{ran.stderr}"
    errors: Errors = {}
    for each in json.loads(ran.stdout)["generalDiagnostics"]:
        if each["severity"] == "error":
            place = Path(each["file"]).name, each["range"]["start"]["line"] + 1
            errors.setdefault(place, set()).add(each.get("rule", each["message"]))
    return errors


@pytest.mark.parametrize(("checker", "number"), [(of_mypy, 0), (of_pyright, 1)], ids=["mypy", "pyright"])
def test_what_is_right_passes_a_strict_type_checker_and_what_is_wrong_does_not(
    checker: Callable[[Path, list[str]], Errors], number: int, tmp_path: Path
) -> None:
    prologue = textwrap.dedent(PROLOGUE)
    texts = {"right.py": prologue + textwrap.dedent(RIGHT), "wrong.py": prologue + "\n".join(WRONG)}
    if importlib.util.find_spec("types_aiobotocore_dynamodb"):
        texts["right_of_asyncio.py"] = textwrap.dedent(RIGHT_OF_ASYNCIO)
    for name, text in texts.items():
        (tmp_path / name).write_text(text + "\n")
    errors = checker(tmp_path, list(texts))  # a checker is slow to start: one run sees them all
    first = prologue.count("\n") + 1
    wrong = {("wrong.py", line): codes[number] for line, codes in enumerate(WRONG.values(), first)}
    assert {place: found for place, found in errors.items() if place not in wrong} == {}
    for place, codes in wrong.items():
        line = list(WRONG)[place[1] - first]
        assert errors.get(place, set()) & set(codes.split("|")), f"{line} passes: {errors.get(place)}"


def test_the_package_says_that_it_is_typed() -> None:
    assert importlib.resources.files("daxlite").joinpath("py.typed").is_file()
