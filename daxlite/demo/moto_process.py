"""The embedded DynamoDB server, in a process of its own: `python -m daxlite.demo.moto_process`.

It prints its port and serves until it is terminated or its standard input ends. The second is what makes it safe to
start: however its parent dies, the pipe closes and nothing is left behind.
"""

import gc
import logging
import operator
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

HOST = "127.0.0.1"


def serve() -> None:
    """Serve DynamoDB, and nothing else of AWS, on a free loopback port."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    _compare_texts_as_texts()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # One request at a time: the demo's clients take turns, and a thread for each request only adds to its latency.
    server = make_server(HOST, 0, create_backend_app("dynamodb"), threaded=False, request_handler=MotoRequestHandler)
    # All items live in this heap as small objects. Collecting it again and again would be the p99 of the raw client.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()


def _leave_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _compare_texts_as_texts() -> None:
    """Let moto compare two strings directly instead of working out their types at each comparison.

    moto sorts the whole table for every Query and Scan. The answers are the same with this; without it the raw client
    waits twice as long for them, which would flatter the cache with a cost that DynamoDB does not have.
    """
    try:
        from moto.dynamodb.models.dynamo_type import DynamoType
    except ImportError:  # moto moved it: slower, and still right
        return
    for name in ("__eq__", "__ne__", "__lt__"):
        setattr(DynamoType, name, _quick(getattr(DynamoType, name), getattr(operator, name)))


def _quick(slow: Callable[[Any, Any], bool], compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def quick(self: Any, other: Any) -> bool:
        if self.type == "S" and other.type == "S":
            return compare(self.value, other.value)
        return slow(self, other)

    return quick


if __name__ == "__main__":
    serve()
