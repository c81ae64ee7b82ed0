"""How connections of asyncio are closed, in their event loop and after its end."""

from contextlib import suppress
from typing import Any


async def disconnect(connection: Any) -> None:
    """Close a connection, without an error. What is still to be sent is not."""
    with suppress(Exception):
        connection._writer.transport.abort()
    with suppress(Exception):
        await connection.disconnect(nowait=True)


def abandon(connection: Any) -> None:
    """Close a connection whose event loop is closed, so that neither asyncio nor redis-py complains of it later. They
    offer no way to do it: each of theirs asks the loop."""
    writer, connection._writer, connection._reader = connection._writer, None, None
    transport: Any = getattr(writer, "transport", None)
    below: Any = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    for each in (transport, below):
        with suppress(Exception):
            each._closing = each._closed = True
        with suppress(Exception):
            each._sock.close()
            each._sock = None
