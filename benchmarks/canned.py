"""A DynamoDB on loopback that answers at once, whatever it is asked, with canned replies: what a call through it costs
is the client's own cost.

`running()` starts it in a process of its own: `python -m benchmarks.canned` prints its port, and ends when its standard
input does.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import cores
from benchmarks.items import TABLE, description, item, page, page_response

ROOT = Path(__file__).parent.parent
NEW_TABLE = "New"
"""A table in which no item exists before it is put."""
SHORT_TABLE = "Short"
"""A table in which there is one item in each partition."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OPERATION = re.compile(rb"\r\nx-amz-target: *DynamoDB_\d+\.(\w+)", re.IGNORECASE)


def _reply(body: Any) -> bytes:
    """All of a reply, as DynamoDB words it; botocore compares the checksum."""
    data = json.dumps(body, separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Server: Server\r\n"
        "Date: Sun, 22 Nov 2026 08:27:00 GMT\r\n"
        "Content-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(data)}\r\n"
        "Connection: keep-alive\r\n"
        "x-amzn-RequestId: 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEF\r\n"
        f"x-amz-crc32: {zlib.crc32(data)}\r\n\r\n"
    )
    return head.encode() + data


NOTHING = _reply({})
REPLIES = {
    b"GetItem": _reply({"Item": item()}),
    b"BatchGetItem": _reply({"Responses": {TABLE: page()}, "UnprocessedKeys": {}}),
    b"Query": _reply(page_response()),
    b"DescribeTable": _reply(description()),
    b"DescribeTimeToLive": _reply({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}),
    b"DescribeLimits": _reply(
        {f"{which}Max{what}CapacityUnits": 80_000 for which in ("Account", "Table") for what in ("Read", "Write")}
    ),
}
SHORT_PAGE = _reply(page_response(items=1))
OLD_ITEM = _reply({"Attributes": item()})


def _reply_to(head: bytes, body: bytes) -> bytes:
    operation = _OPERATION.search(head)
    name = operation[1] if operation else b""
    if name == b"PutItem" and b'"ALL_OLD"' in body and f'"{NEW_TABLE}"'.encode() not in body:
        return OLD_ITEM  # who asks for the old item pays for reading it
    if name == b"Query" and f'"{SHORT_TABLE}"'.encode() in body:
        return SHORT_PAGE
    return REPLIES.get(name, NOTHING)


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
        head, end, rest = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if end else None
        if length is not None and len(rest) >= int(length[1]):
            received = b""
            connection.sendall(_reply_to(head, rest))


def _listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


@contextlib.contextmanager
def process(module: str) -> Iterator[int]:
    """Run a server on the servers' core; gives its port."""
    with cores.for_servers():
        server = subprocess.Popen(
            [sys.executable, "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline())
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The endpoint of such a server."""
    with process("benchmarks.canned") as port:
        yield f"http://127.0.0.1:{port}"


def main(listen: Any) -> None:
    """Listen until the standard input ends, which is when the parent process ends."""
    threading.Thread(target=listen, daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(_listen)
