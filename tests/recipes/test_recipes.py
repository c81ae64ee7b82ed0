"""The recipes that need no server of their own; the others have files of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import boto3
import pytest

import daxlite
from tests.recipes.dynamodb import Relay
from tests.recipes.recipe import PAGE, environment, recipes
from tests.valkey import Valkey

RECIPES = recipes()
MOST_LINES = 10
URL = "redis://localhost:6379/0"
ACCOUNT = "123456789012"
KEY = {"pk": {"S": "o#1"}}

FUNCTION = """
import json, sys, function
class Context:
    def get_remaining_time_in_millis(self):
        return 30_000
print(json.dumps([function.handler(event, Context()) for event in json.loads(sys.argv[1])]))
"""
"""What Lambda does with a function, in a new environment."""


def invoked(directory: Path, code: str, variables: dict[str, str], *events: dict[str, str]) -> list[Any]:
    """What a function returns in a process of its own."""
    (directory / "function.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FUNCTION, json.dumps(events)],
        cwd=directory,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    answers: list[Any] = json.loads(done.stdout)
    return answers


def shared_function(valkey: Valkey, namespace: str) -> str:
    code = RECIPES["Lambda with a shared tier"]
    assert URL in code
    assert 'namespace="shop"' in code
    return code.replace(URL, valkey.url).replace('namespace="shop"', f'namespace="{namespace}"')


@pytest.fixture
def surroundings(dynamodb: Relay, monkeypatch: pytest.MonkeyPatch) -> Relay:
    """This process finds the server by its environment."""
    for name, value in environment(dynamodb.url).items():
        monkeypatch.setenv(name, value)
    return dynamodb


@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_has_ten_lines_at_most_and_says_what_to_mind(heading: str) -> None:
    assert len([line for line in RECIPES[heading].splitlines() if line.strip()]) <= MOST_LINES
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert section.count("**Mind**") == 1


def test_the_first_call_of_a_lambda_function_sends_one_request(dynamodb: Relay, tmp_path: Path) -> None:
    event = {"pk": "o#1"}
    first, second = invoked(tmp_path, RECIPES["Lambda"], environment(dynamodb.url), event, event)
    assert first == second == {"pk": {"S": "o#1"}, "day": {"S": "2026-11-22"}, "total": {"N": "9.5"}}
    assert dynamodb.asked == ["GetItem"]


def test_what_a_lambda_function_writes_others_find_at_the_tier(
    dynamodb: Relay, valkey: Valkey, namespace: str, tmp_path: Path, only_own_keys: None
) -> None:
    code = shared_function(valkey, namespace).replace("local=False", "local=False, budget=5")
    invoked(tmp_path, code, environment(dynamodb.url), {"pk": "o#1", "total": "11"})
    assert dynamodb.asked == ["PutItem"]
    shared = daxlite.Shared(valkey.url, namespace=namespace, account=ACCOUNT, budget=5)
    orders = daxlite.TableConfig(schema=daxlite.TableSchema(daxlite.KeySchema.of("pk")))
    cache = daxlite.Cache(daxlite.CacheConfig(tables={"Orders": orders}), shared=shared)
    client = boto3.client(
        "dynamodb", endpoint_url=dynamodb.url, region_name="eu-west-1", aws_access_key_id="c", aws_secret_access_key="d"
    )
    assert daxlite.wrap(client, cache).get_item(TableName="Orders", Key=KEY)["Item"]["total"] == {"N": "11"}
    assert dynamodb.asked == ["PutItem"]
    cache.close()
    client.close()


def test_a_lambda_function_waits_until_redis_has_been_told(
    surroundings: Relay, own_valkey: Valkey, namespace: str
) -> None:
    scope: dict[str, Any] = {}
    exec(shared_function(own_valkey, namespace), scope)  # noqa: S102 - the code is that of the page
    cache = scope["cache"]
    resumed = threading.Event()

    def resume() -> None:
        resumed.set()
        own_valkey.resume()

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 30_000

    own_valkey.pause()
    timer = threading.Timer(0.5, resume)
    timer.start()
    scope["handler"]({"pk": "o#1", "total": "11"}, Context())
    has_waited, shared = resumed.is_set(), cache.stats().shared
    timer.join()
    cache.close()
    scope["client"].close()
    assert has_waited
    assert (shared.untold_writes, shared.pending) == (1, 0)


def test_pynamodb(surroundings: Relay) -> None:
    scope: dict[str, Any] = {"__name__": "recipe"}
    exec(RECIPES["PynamoDB"], scope)  # noqa: S102 - the code is that of the page
    order = scope["Order"]
    assert order.get("o#1").pk == order.get("o#1").pk == "o#1"
    assert surroundings.asked.count("GetItem") == 1


def test_clients_that_the_program_does_not_make(
    surroundings: Relay, valkey: Valkey, namespace: str, monkeypatch: pytest.MonkeyPatch, only_own_keys: None
) -> None:
    for name, value in environment("", valkey.url, namespace).items():
        if name.startswith("DAXLITE_"):
            monkeypatch.setenv(name, value)
    heading = next(each for each in RECIPES if each.startswith("Django"))
    try:
        exec(RECIPES[heading], {})  # noqa: S102 - the code is that of the page
        clients = [boto3.client("dynamodb") for _ in range(2)]
        caches = {daxlite.cache_of(client) for client in clients}
        found = [client.get_item(TableName="Orders", Key=KEY)["Item"]["pk"] for client in clients]
    finally:
        daxlite.uninstall()
    assert found == [{"S": "o#1"}] * 2
    assert surroundings.asked.count("GetItem") == 1
    (cache,) = caches
    assert cache.stats().shared is not None
    cache.close()
    for client in clients:
        client.close()


def test_the_test(surroundings: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # another test may have made one before moto was imported
    scope: dict[str, Any] = {}
    exec(RECIPES["Tests"], scope)  # noqa: S102 - the code is that of the page
    scope["test_an_order"]()
    scope["test_an_order"]()
    assert surroundings.asked == []
