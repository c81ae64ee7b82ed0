"""A server's port with a bad line before it: replies that are lost, late, or come byte by byte."""

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

Mode = Literal["pass", "cut", "hang", "trickle"]


class Proxy:
    """Passes bytes on as its mode says.

    pass: as they come. cut: what is asked arrives, and the connection ends instead of the reply. hang: no reply comes.
    trickle: a byte of a reply each 20 ms.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """tls: what clients are greeted with."""
        self._target = host, port
        self._tls = tls
        self.mode: Mode = "pass"
        self.cuts = 10**9
        """So many replies are cut, and the others pass."""
        self.held = 0
        """So many parts of replies did not come."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self._sockets = [self._listener]
        self._start(self._accept)

    def _start(self, run: object, *arguments: object) -> None:
        threading.Thread(target=run, args=arguments, daemon=True).start()  # type: ignore[arg-type]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._tls is not None:
                    client = self._tls.wrap_socket(client, server_side=True)
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                self._start(self._pass, client, server, False)
                self._start(self._pass, server, client, True)

    def _pass(self, one: socket.socket, other: socket.socket, are_replies: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if not are_replies or self.mode == "pass":
                    other.sendall(data)
                elif self.mode == "cut" and self.cuts:
                    self.cuts -= 1
                    break
                elif self.mode == "trickle":
                    for byte in data:
                        other.sendall(bytes([byte]))
                        time.sleep(0.02)
                elif self.mode == "hang":
                    self.held += 1
                else:
                    other.sendall(data)
        if are_replies and self.mode == "hang":
            return  # the client waits on, though the server has said all
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """End all connections."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def bad_line(host: str, port: int, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy to this server."""
    proxy = Proxy(host, port, tls)
    try:
        yield proxy
    finally:
        proxy.close()


def self_signed(path: Path) -> ssl.SSLContext:
    """What a server shows that no authority knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1)
    )
    certificate = made.sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    (path / "key").write_bytes(key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    (path / "certificate").write_bytes(certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path / "certificate", path / "key")
    return context
