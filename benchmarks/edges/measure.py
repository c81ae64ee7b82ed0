"""The measurements, each of them one function that returns rows."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Any, Final, NamedTuple

import boto3
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.config import Config

import daxlite
from benchmarks import canned
from benchmarks.interleave import AsyncCase, Case, Comparison, ratio
from benchmarks.items import TABLE, key

CALLS: Final = 200
"""Calls of another service in one round."""
GATHERED: Final = 5_000
"""Misses that wait for DynamoDB at the same time."""
_ACCOUNT: Final = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str = ""


def _of_threads(service: str, endpoint: str) -> Any:
    made: Any = boto3.client(service, endpoint_url=endpoint, config=Config(proxies={}), **_ACCOUNT)  # type: ignore[call-overload]
    return made


async def _of_asyncio(stack: AsyncExitStack, endpoint: str) -> Any:
    creator = get_session().create_client("dynamodb", endpoint_url=endpoint, config=AioConfig(proxies={}), **_ACCOUNT)
    return await stack.enter_async_context(creator)


def hits(endpoint: str, seconds: float) -> list[Row]:
    """A hit of a task beside one of a thread."""
    loop, stack = asyncio.new_event_loop(), AsyncExitStack()
    cache = daxlite.Cache()
    in_a_thread = daxlite.wrap(_of_threads("dynamodb", endpoint), cache)
    in_a_task = daxlite.wrap(loop.run_until_complete(_of_asyncio(stack, endpoint)), cache)
    cases: list[Case | AsyncCase] = [
        Case("thread", lambda: in_a_thread.get_item(TableName=TABLE, Key=key())),
        AsyncCase("task", lambda: in_a_task.get_item(TableName=TABLE, Key=key()), loop),
    ]
    comparison = Comparison(cases).run(seconds)
    loop.run_until_complete(stack.aclose())
    loop.close()
    task, thread = comparison.rounds("task"), comparison.rounds("thread")
    return [
        Row("GetItem, a hit in this process, a thread", f"{min(thread) * 1e6:.2f} µs"),
        Row("the same, a task", f"{min(task) * 1e6:.2f} µs"),
        Row("a task beside a thread", f"{ratio(task, thread).median:.2f} x", "1.5 x"),
    ]


def gathered_misses(endpoint: str, rounds: int) -> list[Row]:
    """Misses that are gathered, through a wrapped client beside a plain one, in turns."""

    async def measure() -> tuple[list[float], list[float]]:
        async with AsyncExitStack() as stack:
            plain, inner = [await _of_asyncio(stack, endpoint) for _ in range(2)]
            wrapped = daxlite.wrap(inner, config=daxlite.CacheConfig(settle_window=0))
            times: tuple[list[float], list[float]] = ([], [])
            number = 0
            for turn in range(2 * rounds + 2):
                which = (turn + turn // 2) % 2  # plain wrapped, wrapped plain, and so on
                client = (plain, wrapped)[which]
                began = perf_counter()
                calls: list[Awaitable[Any]] = [
                    client.get_item(TableName=TABLE, Key=key(number=number + each)) for each in range(GATHERED)
                ]
                await asyncio.gather(*calls)
                number += GATHERED
                if turn >= 2:
                    times[which].append((perf_counter() - began) / GATHERED)
            return times

    plain, wrapped = asyncio.run(measure())
    return [
        Row(f"{GATHERED:,} gathered GetItem through aiobotocore, each", f"{min(plain) * 1e6:.0f} µs"),
        Row("the same, misses of a wrapped client", f"{min(wrapped) * 1e6:.0f} µs"),
        Row("wrapped beside plain", f"{(ratio(wrapped, plain).median - 1) * 100:+.1f} %", "+10 %"),
    ]


def passed_through(endpoint: str, seconds: float) -> list[Row]:
    """A call of another service, while daxlite is installed and while it is not."""
    client = _of_threads("sts", endpoint)
    client._make_request = lambda model, request, context: (_Answered(), {"ResponseMetadata": {}})

    cache = daxlite.Cache()

    def timed() -> float:
        began = perf_counter()
        for _ in range(CALLS):
            client.get_caller_identity()
        return (perf_counter() - began) / CALLS

    plain, installed = [], []
    until = perf_counter() + seconds
    while perf_counter() < until:
        plain.append(timed())
        daxlite.install(cache)
        installed.append(timed())
        daxlite.uninstall()
    return [
        Row("a call of another service, without its network", f"{min(plain) * 1e6:.1f} µs"),
        Row("the same, while daxlite is installed", f"{(ratio(installed, plain).median - 1) * 100:+.1f} %", "none"),
    ]


class _Answered:
    """As much of a reply as botocore looks at."""

    status_code = 200


def rows(seconds: float, rounds: int) -> list[Row]:
    """All of them."""
    with canned.running() as endpoint:
        return [
            *hits(endpoint, seconds),
            *gathered_misses(endpoint, rounds),
            *passed_through(endpoint, seconds),
        ]
