"""The embedded DynamoDB server, in a process of its own: `python -m daxlite.demo.moto_process`.

It prints its port and serves until it is terminated or its standard input ends. The second is what makes it safe to
start: however its parent dies, the pipe closes and nothing is left behind.
"""

import gc
import logging
import os
import sys
import threading

HOST = "127.0.0.1"


def serve() -> None:
    """Serve DynamoDB, and nothing else of AWS, on a free loopback port."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

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


if __name__ == "__main__":
    serve()
