"""A relay before a DynamoDB server, which notes what is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Relay:
    """Passes requests on. `asked` are the operations, in their order."""

    def __init__(self, url: str, target: str) -> None:
        self.url = url
        self.target = target
        self.asked: list[str] = []


@contextmanager
def relay_to(target: str) -> Iterator[Relay]:
    """A relay to the server at this URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            relay.asked.append(self.headers["X-Amz-Target"].rpartition(".")[2])
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server = HTTPConnection(urlsplit(target).netloc, timeout=60)
            server.request("POST", "/", body, dict(self.headers))
            reply = server.getresponse()
            data = reply.read()
            server.close()
            self.send_response(reply.status)
            for name, value in reply.getheaders():
                if name.lower() not in ("connection", "content-length", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        relay = Relay(f"http://127.0.0.1:{server.server_port}", target)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            server.shutdown()
            thread.join()
