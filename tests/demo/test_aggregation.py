"""The demo's aggregation: where each answer comes from, and that a wrong one is found out."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from daxlite.aggregations.base import Base
from daxlite.cli import app
from daxlite.demo import aggregation, other_process, redis_servers
from daxlite.demo.aggregation import STEPS, Shop, aggregate
from daxlite.demo.check import CheckResult
from daxlite.demo.connect import embedded_client
from daxlite.demo.office import COMPUTED, NEAR, SHARED
from daxlite.demo.orders import STATUSES, make_orders
from daxlite.demo.revenue import AFTERWARDS, WEEK, revenue_of
from daxlite.demo.settings import DemoError, Settings
from daxlite.demo.table import load, temporary_tables
from daxlite.demo.valkey import binary, valkey_server
from tests.demo.small import SMALL
from tests.valkey import Valkey

ORDERS = make_orders(100, seed=1)


@pytest.fixture
def dynamodb(embedded: str) -> Iterator[tuple[str, Any]]:
    """The URL of a server with a table of orders, and a plain client of it."""
    client = embedded_client(embedded)
    with temporary_tables(client, ["Orders"]):
        load(client, "Orders", ORDERS, lambda _: None)
        yield embedded, client
    client.close()


def check_rows(url: str, client: Any, server: redis_servers.RedisServer) -> None:
    shop = Shop(embedded_client, url, "Orders", server, Settings(items=len(ORDERS)))
    result = CheckResult()
    steps: list[int] = []
    rows = aggregate(shop, client, result, steps.append)
    assert result.disagreements == []
    assert result.aggregations == 9
    assert sum(steps) == len(rows) == STEPS
    cold, again, many, elsewhere, another_day, that_week, after_it, by_the_other = (row.asked for row in rows)
    partitions = len(WEEK) * len(STATUSES)
    assert (cold.source, cold.reads) == (COMPUTED, partitions)
    assert again.source in (SHARED, NEAR)
    assert elsewhere.source == SHARED
    # What was read of an index right after a change is kept for some 20 ms, which the next question may miss.
    assert after_it.source in (SHARED, COMPUTED)
    assert after_it.revenue == that_week.revenue
    assert {many.source, another_day.source} == {NEAR}
    assert {asked.reads for asked in (again, elsewhere, many, another_day)} == {0}
    assert that_week.source == by_the_other.source == COMPUTED
    # All partitions but those that changed a moment ago are still in the query cache.
    assert that_week.reads == 1
    assert by_the_other.reads in (1, 2)
    assert that_week.revenue != cold.revenue
    assert by_the_other.revenue != that_week.revenue


def test_where_the_answers_come_from(dynamodb: tuple[str, Any]) -> None:
    with redis_servers.redis_server(None) as server:
        assert server.url is not None
        check_rows(*dynamodb, server)


@pytest.mark.usefixtures("fakeredis_only")
def test_the_same_without_a_valkey_server(dynamodb: tuple[str, Any]) -> None:
    with redis_servers.redis_server(None) as server:
        assert server.url is None
        check_rows(*dynamodb, server)


def test_the_revenue_is_that_of_the_orders(dynamodb: tuple[str, Any]) -> None:
    of_the_week = [order for order in ORDERS if order["created_at"]["S"][:10] in WEEK]
    revenue = revenue_of(dynamodb[1], "Orders", WEEK)
    assert sum(revenue.values()) == sum(Decimal(order["total"]["N"]) for order in of_the_week)
    assert {day for day, _, _ in revenue} <= {*WEEK}
    assert AFTERWARDS not in WEEK


@pytest.mark.usefixtures("fakeredis_only", "dynamodb_started")
def test_an_aggregation_that_is_not_invalidated_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf(self: Base, tags: Any, told: Any = None) -> Any:
        yield from ()

    monkeypatch.setattr(Base, "changed", deaf)
    monkeypatch.setattr(aggregation, "HEARS_WITHIN", 0.1)
    result = CliRunner().invoke(app, SMALL)
    assert result.exit_code == 1, result.output
    assert "DISAGREE" in result.output
    assert "the revenue of the week" in result.output


def test_a_redis_server_that_is_not_there() -> None:
    result = CliRunner().invoke(app, [*SMALL, "--redis-url", "redis://me:secret@127.0.0.1:1/0"])
    assert result.exit_code == 2
    assert "could not run: no Redis at redis://127.0.0.1:1/0" in result.output
    assert "secret" not in result.output


@pytest.mark.parametrize("bad", ["localhost:6379", "http://127.0.0.1:6379", "redis://:secret@/0", "redis://a:secret"])
def test_a_bad_url_is_named(bad: str) -> None:
    result = CliRunner().invoke(app, ["demo", "--redis-url", bad])
    assert result.exit_code == 2
    assert "--redis-url" in result.output
    assert "secret" not in result.output


def test_the_valkey_server_ends_with_an_error() -> None:
    program = binary()
    assert program is not None
    with suppress(ZeroDivisionError), valkey_server(program) as url:
        client = redis.Redis.from_url(url, socket_timeout=5)
        assert client.ping()
        raise ZeroDivisionError
    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()


def test_a_valkey_server_that_does_not_start(tmp_path: Any) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\necho no room here\nexit 1\n")
    program.chmod(0o700)
    with pytest.raises(DemoError, match="did not start: no room here"), valkey_server(str(program)):
        pass


def test_the_other_process_ends_with_the_demo(dynamodb: tuple[str, Any], valkey: Valkey, namespace: str) -> None:
    started: list[subprocess.Popen[str]] = []

    def ask() -> None:
        with other_process.other_process(address) as other:
            started.append(other._process)
            assert other.ask().source == COMPUTED
            raise ZeroDivisionError

    address = other_process.Address(dynamodb[0], True, valkey.url, namespace, "Orders")
    with pytest.raises(ZeroDivisionError):
        ask()
    assert started[0].returncode == 0


def test_another_process_that_cannot_start(valkey: Valkey, namespace: str) -> None:
    address = other_process.Address("no URL", True, valkey.url, namespace, "Orders")
    with pytest.raises(DemoError, match="ended too early"), other_process.other_process(address):
        pass
