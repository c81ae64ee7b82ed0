"""The embedded DynamoDB server, in a process of its own: `python -m daxlite.demo.moto_process`.

It prints its port and serves until it is terminated or its standard input ends. However its parent dies, the pipe
closes, and the server exits.
"""

import gc
import logging
import os
import sys
import threading

HOST = "127.0.0.1"


def serve() -> None:
    """Serve DynamoDB, and no other service of AWS, on a free port of the loopback interface."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # One request at a time: the clients of the demo take turns, and a thread per request would add latency.
    server = make_server(HOST, 0, create_backend_app("dynamodb"), threaded=False, request_handler=MotoRequestHandler)
    # All items are small objects in this heap: frequent collections would show in the p99 of the plain client.
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
