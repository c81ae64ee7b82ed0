"""A DAX node on loopback that answers at once with canned replies, for `amazon-dax-client`: there is no DAX to be had
outside of AWS, and what is compared is the client's own cost. As in `benchmarks.canned`.

It knows no more of the protocol than that client needs to read one item: requests and replies are CBOR (RFC 8949), a
request is known by the number of its method, and a reply begins with an empty array: there was no error.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from benchmarks.canned import main, process
from benchmarks.items import item

# The methods by their numbers.
ENDPOINTS = 455855874
KEY_SCHEMA = -742646399
ATTRIBUTE_LIST = 670678385
GET_ITEM = 263244906

STRING_SET = 3321
DECIMAL_FRACTION = 4


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, form in ((24, ">B"), (25, ">H"), (26, ">I")):
        if number < 1 << 8 * struct.calcsize(form):
            return bytes([major << 5 | code]) + struct.pack(form, number)
    raise ValueError(f"{number} is more than is needed here")


def cbor(value: Any) -> bytes:
    """
    >>> cbor({0: [-500, "a", b"b"]}).hex()
    'a100833901f361614162'
    """
    match value:
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case list():
            return _head(4, len(value)) + b"".join(map(cbor, value))
        case dict():
            return _head(5, len(value)) + b"".join(cbor(key) + cbor(inner) for key, inner in value.items())
        case Decimal():
            sign, digits, exponent = value.as_tuple()
            mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
            return cbor(mantissa) if exponent == 0 else _head(6, DECIMAL_FRACTION) + cbor([exponent, mantissa])
    raise TypeError(f"{value!r} is none of what is needed here")


def _typed(value: dict[str, Any]) -> bytes:
    """An attribute's value in DAX's notation."""
    ((kind, inner),) = value.items()
    match kind:
        case "S":
            return cbor(inner)
        case "N":
            return cbor(Decimal(inner))
        case "SS":
            return _head(6, STRING_SET) + cbor(inner)
        case "M":
            return _head(5, len(inner)) + b"".join(cbor(name) + _typed(part) for name, part in inner.items())
        case "L":
            return _head(4, len(inner)) + b"".join(map(_typed, inner))
    raise TypeError(f"{kind} is not in the items of the benchmarks")


def _replies(port: int) -> dict[bytes, bytes]:
    attributes = {name: value for name, value in sorted(item().items()) if name not in ("pk", "sk")}
    # The values stand without their names, which the client asks for once, by the number of their list.
    anonymous = cbor(2) + b"".join(map(_typed, attributes.values()))
    node = {0: 1, 1: "127.0.0.1", 2: socket.inet_aton("127.0.0.1"), 3: port, 4: 1, 5: "a", 6: 1}
    replies = {
        ENDPOINTS: [node],
        KEY_SCHEMA: {"pk": "S", "sk": "S"},
        ATTRIBUTE_LIST: list(attributes),
        GET_ITEM: {0: anonymous},
    }
    return {cbor(method): cbor([]) + cbor(reply) for method, reply in replies.items()}


def _serve(connection: socket.socket, replies: dict[bytes, bytes]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while request := connection.recv(65536):
        for method, reply in replies.items():
            if method in request:
                connection.sendall(reply)


def _listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        print(port, flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, _replies(port)), daemon=True).start()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The endpoint of such a node."""
    with process("benchmarks.canned_dax") as port:
        yield f"dax://127.0.0.1:{port}"


if __name__ == "__main__":
    main(_listen)
