"""The points of a write at which a process can die or be stopped, in their order."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

from daxlite.shared.connection import Connection
from daxlite.shared.lua import BEGIN, FINISH

POINTS = ("before begin", "after begin", "after DynamoDB", "after finish")

_SCRIPTS = {BEGIN: "begin", FINISH: "finish"}


class Points:
    """Sends this process a signal when a call of its own comes to a point."""

    def __init__(self) -> None:
        self._armed: tuple[str, signal.Signals] | None = None
        self.asked: list[str] = []
        """The names of the commands of each round trip to Redis."""
        self.sent: list[str] = []
        """The operations that were sent to DynamoDB."""
        self.denied: frozenset[str] = frozenset()
        """The operations that are answered in DynamoDB's place: the credentials do not allow them."""
        send = URLLib3Session.send

        def watched_send(session: URLLib3Session, request: Any) -> Any:
            target = request.headers["X-Amz-Target"]
            operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
            self.sent.append(operation)
            if operation in self.denied:
                return _denied(request.url)
            response = send(session, request)
            if not operation.startswith("Describe"):
                self.reached("after DynamoDB")
            return response

        run, get = Connection.run, Connection.get

        def watched_get(connection: Connection, keys: Sequence[str]) -> Any:
            self.asked.append("MGET")
            return get(connection, keys)

        def watched(connection: Connection, commands: Sequence[Any], is_urgent: bool = False) -> Any:
            self.asked.append(" ".join(str(command[0]) for command in commands))
            names = {_SCRIPTS[command[1]] for command in commands if command[0] == "EVAL" and command[1] in _SCRIPTS}
            for name in names:
                self.reached(f"before {name}")
            replies = run(connection, commands, is_urgent)
            for name in names:
                self.reached(f"after {name}")
            return replies

        # Not as hooks of botocore's, which a client shows to daxlite.
        URLLib3Session.send = watched_send  # type: ignore[method-assign]
        Connection.get = watched_get  # type: ignore[method-assign]
        Connection.run = watched  # type: ignore[method-assign]

    def arm(self, point: str, number: signal.Signals) -> None:
        """Have this process send itself a signal at the next call that comes to a point."""
        self._armed = point, number

    def reached(self, point: str) -> None:
        armed = self._armed
        if armed is not None and armed[0] == point:
            self._armed = None
            os.kill(os.getpid(), armed[1])


def _denied(url: str) -> AWSResponse:
    response = AWSResponse(url, 400, {}, None)
    response._content = b'{"__type": "com.amazon.coral.service#AccessDeniedException", "message": "no"}'
    return response
