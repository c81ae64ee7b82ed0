"""The DynamoDB-compatible servers that the tests run against: how each is started, and what each cannot do.

``DAXLITE_TEST_BACKENDS`` names the servers of a run, separated by commas; ``moto`` is the default. A server that was
asked for and does not start fails the run: a suite that silently tests less than it was told to is worth nothing.

None of these servers is DynamoDB. Where one deviates, `SERVERS` says so under the name of the capability that it
lacks, and a test that needs this capability is not collected for that server.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

import daxlite
from tests.install_servers import DYNALITE_COMMAND, MINISTACK_PYTHON

HOST = "127.0.0.1"
START_SECONDS = 60.0
LEASH = Path(daxlite.__file__).parent / "demo" / "leash.py"

CAPABILITIES = {
    "validation": "refuses every malformed request of the suite",
    "numbers": "numbers have one form: 1.0 is stored as 1",
    "sums": "sums are exact, to 38 digits",
    "number_keys": "a key that is stored as 1 is found as 1.0",
    "nested_projection": "a projection expression may name several places in one list or map",
    "nested_updates": "UPDATED_OLD and UPDATED_NEW of a nested path hold that path alone",
    "bare_updates": "UpdateItem without any update",
    "attribute_updates": "AttributeUpdates with values of all types",
    "attributes_to_get": "AttributesToGet of GetItem",
    "query_filter": "QueryFilter on an attribute that not every item has, and ConditionalOperator",
    "condition_items": "the exception of a failed condition brings the item, when asked to",
    "capacity": "ConsumedCapacity tells tables and indexes apart",
    "capacity_on_request": "ConsumedCapacity comes whenever it was asked for, and only then",
    "new_indexes": "UpdateTable adds an index to a table that is billed by request",
    "table_arns": "TableName may be an ARN",
    "transactions": "TransactGetItems and TransactWriteItems",
    "partiql": "ExecuteStatement, BatchExecuteStatement and ExecuteTransaction",
    "partiql_writes": "INSERT and DELETE statements with parameters",
    "streams": "tables have streams, and one that was disabled is followed by another one once it is enabled again",
    "global_tables": "several regions at one address, with tables that are replicated between them",
}


@dataclass(frozen=True)
class Server:
    """One kind of server."""

    name: str
    command: Callable[[int], tuple[list[str], dict[str, str]]] | None
    """The command line for a port, and what it adds to the environment. None: the server runs already."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """The missing capabilities, each with what was seen instead."""

    def __post_init__(self) -> None:
        if unknown := self.lacks.keys() - CAPABILITIES.keys():
            raise ValueError(f"{self.name} lacks what is not a capability: {sorted(unknown)}")


@dataclass(frozen=True)
class Backend:
    """A running server."""

    server: Server
    endpoint: str

    def can(self, capability: str) -> bool:
        if capability not in CAPABILITIES:
            raise ValueError(f"{capability!r} is not a capability")
        return capability not in self.server.lacks


def _moto(port: int) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)], {}


def _dynalite(port: int) -> tuple[list[str], dict[str, str]]:
    node = shutil.which("node")
    if node is None or not DYNALITE_COMMAND.is_file():
        raise RuntimeError("dynalite is not installed: python tests/install_servers.py dynalite (needs node)")
    at_once = [f"--{what}TableMs=0" for what in ("create", "delete", "update")]
    return [node, str(DYNALITE_COMMAND), "--host", HOST, "--port", str(port), *at_once], {}


def _ministack(port: int) -> tuple[list[str], dict[str, str]]:
    if not MINISTACK_PYTHON.is_file():
        raise RuntimeError("ministack is not installed: python tests/install_servers.py ministack")
    # A docker socket is none of its business here.
    quiet = {"LOG_LEVEL": "WARNING", "DOCKER_HOST": "unix:///nonexistent", "PYTHONPATH": ""}
    return [str(MINISTACK_PYTHON), "-m", "ministack"], {"GATEWAY_PORT": str(port), "BIND_HOST": HOST, **quiet}


SERVERS = {
    server.name: server
    for server in (
        Server(
            "moto",
            _moto,
            {
                "validation": "accepts key attributes of the wrong type, overlapping or undefined paths, and more",
                "numbers": "stores numbers as they were written",
                "sums": "rounds to 28 digits",
                "number_keys": "compares numbers as they were written",
                "nested_projection": "`a[1].c, a[0]` gives one of the two",
                "nested_updates": "UPDATED_NEW of `a.b` holds more than `a.b`",
                "bare_updates": "HTTP 500",
                "attribute_updates": "stores text in the place of a boolean",
                "attributes_to_get": "GetItem ignores it",
                "query_filter": "HTTP 500, and OR taken for AND",
                "capacity": "a global index is listed as a local one, and BatchGetItem lists no table",
                "capacity_on_request": "BatchGetItem always brings it",
                "partiql_writes": "HTTP 500",
                "streams": "refuses to enable a stream again",
                "global_tables": "makes no table in the other region",
            },
        ),
        Server(
            "dynalite",
            _dynalite,
            {
                "condition_items": "ignores ReturnValuesOnConditionCheckFailure",
                "new_indexes": "asks for provisioned throughput",
                "table_arns": "refuses an ARN as a TableName",
                "transactions": "UnknownOperationException",
                "partiql": "UnknownOperationException",
                "partiql_writes": "UnknownOperationException",
                "streams": "UnknownOperationException",
                "global_tables": "knows nothing of regions",
            },
        ),
        Server(
            "ministack",
            _ministack,
            {
                "validation": "accepts conflicting and empty paths, and duplicates in AttributesToGet",
                "nested_updates": "UPDATED_NEW of `a.b` holds more than `a.b`",
                "sums": "rounds to 28 digits",
                "number_keys": "compares numbers as they were written",
                "capacity_on_request": "BatchGetItem never brings it",
            },
        ),
        # A server that runs already, as DAXLITE_TEST_ENDPOINT says. It is taken to be right, in its one region.
        Server("endpoint", None, {"global_tables": "is of one region"}),
    )
}


def chosen() -> list[Server]:
    """The servers that ``DAXLITE_TEST_BACKENDS`` asks for."""
    names = [name.strip() for name in os.environ.get("DAXLITE_TEST_BACKENDS", "moto").split(",") if name.strip()]
    if unknown := [name for name in names if name not in SERVERS]:
        raise ValueError(f"DAXLITE_TEST_BACKENDS: {unknown} not among {sorted(SERVERS)}")
    if not names:
        raise ValueError("DAXLITE_TEST_BACKENDS names no server")
    return [SERVERS[name] for name in dict.fromkeys(names)]


@contextlib.contextmanager
def running(server: Server) -> Iterator[Backend]:
    """Start `server` on a free port of the loopback interface, and end it afterwards."""
    if server.command is None:
        endpoint = os.environ.get("DAXLITE_TEST_ENDPOINT")
        if not endpoint:
            raise RuntimeError("the backend 'endpoint' needs DAXLITE_TEST_ENDPOINT=http://host:port")
        if not _answers(endpoint):
            raise RuntimeError(f"no DynamoDB answers at DAXLITE_TEST_ENDPOINT={endpoint}")
        yield Backend(server, endpoint)
        return
    with tempfile.TemporaryFile() as log:
        process, endpoint = _start(server, log)
        try:
            yield Backend(server, endpoint)
        finally:
            _end(process)


def _start(server: Server, log: IO[bytes]) -> tuple[subprocess.Popen[bytes], str]:
    assert server.command is not None
    # Another process may take the port before the server does: then the server ends at once, and is started again.
    for _ in range(3):
        port = _free_port()
        command, extra = server.command(port)
        process = subprocess.Popen(
            [sys.executable, str(LEASH), *command],
            env={**os.environ, **extra},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        try:
            while process.poll() is None:
                if _listens(port) and _answers(f"http://{HOST}:{port}") and process.poll() is None:
                    return process, f"http://{HOST}:{port}"
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
        except BaseException:
            _end(process)
            raise
        _end(process)
    log.seek(0)
    raise RuntimeError(f"{server.name} did not start: {log.read()[-4000:].decode(errors='replace')}")


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _answers(endpoint: str) -> bool:
    client = boto3.client("dynamodb", **connection(endpoint))
    try:
        client.list_tables()
    except BotoCoreError:
        return False
    else:
        return True
    finally:
        client.close()


def connection(endpoint: str) -> dict[str, Any]:
    """How to make a client or a resource of this server, without the settings of the person that runs the tests."""
    return {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
        # No retries: moto answers an operation that it does not know with HTTP 500, which would be tried again.
        "config": Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=20, proxies={}),
    }
