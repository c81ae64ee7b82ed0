"""A moment by which a step with Redis must have ended, for connections of threads.

redis-py's timeouts are for each address that it tries and each read of the socket, so that a connection with a slow
handshake, or a reply that trickles, takes many times as long as one of them. Here each of them is what is left.
Looking a host name up is the system's, and takes as long as it takes.
"""

import socket
import time
from functools import lru_cache
from typing import Any, Final

TOO_LATE: Final = "Redis did not answer within the budget"


def left_until(deadline: float) -> float:
    """The seconds until a moment by `time.monotonic`. Raises TimeoutError if it has come."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError(TOO_LATE)
    return left


class Limit:
    """What a connection and its socket share: had they each other, a connection that is lost would not be garbage."""

    deadline: float | None = None
    """By `time.monotonic`. None: the timeouts of the settings hold."""


class TimedSocket:
    """A socket that waits no longer than the deadline of its connection allows."""

    def __init__(self, socket: Any, limit: Limit) -> None:
        self._socket = socket
        self._shared = limit
        self._seconds = socket.gettimeout()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, seconds: float | None) -> None:
        """As a socket's; what is longer than what is left counts for nothing."""
        self._seconds = seconds
        self._socket.settimeout(seconds)

    def recv(self, *arguments: Any) -> Any:
        """As a socket's."""
        self._limit()
        return self._socket.recv(*arguments)

    def recv_into(self, *arguments: Any) -> Any:
        """As a socket's."""
        self._limit()
        return self._socket.recv_into(*arguments)

    def sendall(self, data: Any) -> None:
        """As a socket's."""
        self._limit()
        self._socket.sendall(data)

    def _limit(self) -> None:
        deadline = self._shared.deadline
        if deadline is not None and self._seconds != 0:  # 0: only look whether there is anything
            self._socket.settimeout(left_until(deadline))


class Timed:
    """Makes a class of connections one whose connections have a deadline. It comes before that class."""

    _is_connecting = False
    _socket_timeout: Any
    _socket_connect_timeout: Any

    def __init__(self, **settings: Any) -> None:
        self.limit = Limit()
        super().__init__(**settings)

    @property
    def socket_timeout(self) -> Any:
        """For redis-py."""
        return self._limited(self._socket_timeout)

    @socket_timeout.setter
    def socket_timeout(self, seconds: Any) -> None:
        self._socket_timeout = seconds

    @property
    def socket_connect_timeout(self) -> Any:
        """For redis-py, which asks for each address of a host."""
        return self._limited(self._socket_connect_timeout)

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, seconds: Any) -> None:
        self._socket_connect_timeout = seconds

    def _limited(self, seconds: Any) -> Any:
        deadline = self.limit.deadline
        return seconds if deadline is None or not self._is_connecting else left_until(deadline)

    def _connect(self) -> Any:
        self._is_connecting = True
        try:
            made = super()._connect()  # type: ignore[misc]
        finally:
            self._is_connecting = False
        return TimedSocket(made, self.limit) if isinstance(made, socket.socket) else made  # fakeredis has a queue


@lru_cache(maxsize=64)
def timed(connection_class: Any) -> Any:
    """A class of connections to a server, with deadlines."""
    return type(f"Timed{connection_class.__name__}", (Timed, connection_class), {})
