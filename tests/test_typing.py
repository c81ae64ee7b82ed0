"""Static types: what is wrapped keeps its own, and a wrong setting is found before it runs."""

import importlib.resources
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import daxlite


def test_the_package_says_that_it_is_typed() -> None:
    assert importlib.resources.files("daxlite").joinpath("py.typed").is_file()


RIGHT = """
    import boto3
    import daxlite
    from mypy_boto3_dynamodb import DynamoDBClient, DynamoDBServiceResource
    from mypy_boto3_dynamodb.service_resource import Table
    from typing import assert_type

    raw: DynamoDBClient = boto3.client("dynamodb")
    client = daxlite.wrap(raw)
    assert_type(client, DynamoDBClient)
    response = client.get_item(TableName="Orders", Key={"pk": {"S": "o#1"}})
    response["Item"]["pk"]["S"].upper()
    resource = daxlite.wrap(boto3.resource("dynamodb"), cache=daxlite.Cache())
    assert_type(resource, DynamoDBServiceResource)
    assert_type(daxlite.wrap(resource.Table("Orders"), config=daxlite.CacheConfig(item_ttl=None)), Table)
    assert_type(daxlite.wrap(boto3.Session()), boto3.Session)
    cache = daxlite.Cache(
        daxlite.CacheConfig(
            query_invalidation="ttl",
            tables={"T": daxlite.TableConfig(schema=daxlite.TableSchema(daxlite.KeySchema.of("pk")))},
        )
    )
    cache.invalidate("T", {"pk": "a"})
    hits: int = cache.stats().total.hits + cache.stats().tables["T"]["item"].hits
    with daxlite.bypass():
        pass

    import daxlite.pynamodb
    from pynamodb.connection import Connection
    from pynamodb.models import Model

    @daxlite.pynamodb.wrap
    class Order(Model):
        pass

    assert_type(Order.get("o#1"), Order)
    assert_type(daxlite.pynamodb.wrap(Order, cache, principal="role-a"), type[Order])
    assert_type(daxlite.pynamodb.wrap(Connection(), config=daxlite.CacheConfig()), Connection)
"""
WRONG = {
    "wrap(client, cache=3)": "arg-type",
    "wrap(client, config={})": "arg-type",
    "wrap(client).get_itme": "attr-defined",
    'wrap(client).get_item(TableName=3, Key={"pk": {"S": "a"}})': "arg-type",
    "CacheConfig(300)": "misc|call-arg",
    'CacheConfig(query_invalidation="sometimes")': "arg-type",
    'CacheConfig(item_ttl="5")': "arg-type",
    "Cache().invalidate(3)": "arg-type",
    "daxlite.pynamodb.wrap(client)": "type-var",
    'Cache().stats().tables["T"]["items"]': "index|typeddict-item|misc",
}


def checked(home: Path) -> dict[str, list[str]]:
    """What mypy says of each snippet, by the name of its file. It is slow to start: all are checked at once."""
    (home / "right.py").write_text(textwrap.dedent(RIGHT))
    imports = "import boto3, daxlite.pynamodb\nfrom daxlite import Cache, CacheConfig, wrap\n"
    prologue = f"{imports}client = boto3.client('dynamodb')\n"
    for number, line in enumerate(WRONG):
        (home / f"wrong{number}.py").write_text(f"{prologue}{line}\n")
    files = sorted(path.name for path in home.glob("*.py"))
    environment = (
        {"MYPYPATH": str(Path(daxlite.__file__).parents[1])} if "site-packages" not in daxlite.__file__ else {}
    )
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file=",
            "--follow-imports=silent",
            "--no-error-summary",
            *files,
        ],
        capture_output=True,
        text=True,
        cwd=home,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    assert result.returncode == 1, f"mypy failed: {result.stdout}{result.stderr}"
    said: dict[str, list[str]] = {name: [] for name in files}
    for line in result.stdout.splitlines():
        said.setdefault(line.partition(":")[0], []).append(line)
    return said


def test_what_is_right_passes_a_strict_type_checker_and_what_is_wrong_does_not(tmp_path: Path) -> None:
    said = checked(tmp_path)
    assert said["right.py"] == []
    for number, (line, codes) in enumerate(WRONG.items()):
        errors = said[f"wrong{number}.py"]
        found = [
            each for each in errors if ":4: error:" in each and any(f"[{code}]" in each for code in codes.split("|"))
        ]
        assert found, f"{line} passes: {errors}"
