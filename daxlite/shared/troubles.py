"""Troubles with Redis: said once in the log, in plain words, and remembered for as long as they last.

An error's own message never reaches the log: it may quote arguments, and so results and passwords. It is only compared
with what is known of such messages.
"""

import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import redis
from redis import exceptions

_logger: Final = logging.getLogger("daxlite")

MAX_LOGGED: Final = 50
"""So many different troubles are logged."""
QUIET: Final = 60.0
"""Seconds after the message that Redis is left alone until the next one: a server that comes and goes fills no log."""
COMPUTED: Final = "results are computed, as without a cache"
"""What a refused command costs."""

# Each command that is sent, by daxlite or by redis-py, and the right that it needs. No other name in an error's message
# is repeated.
_RIGHTS: Final = {
    name: f"+{name.lower()}"
    for name in (
        *("GET", "MGET", "SET", "PEXPIRE", "DEL", "EVAL", "TIME", "PUBLISH", "PSUBSCRIBE", "PING"),
        *("AUTH", "HELLO", "SELECT", "COMMAND", "CLUSTER", "CLUSTER|SLOTS", "CLUSTER|SHARDS"),
    )
}
_NO_COMMAND: Final = re.compile(r"^unknown command ['`]?([a-z|]{1,20})\b", re.IGNORECASE)
_NO_RIGHT: Final = re.compile(r"no permissions to run the '([a-z|]{1,20})' command", re.IGNORECASE)
_NO_KEY: Final = re.compile(
    r"no permissions to access (?:a|one of the) keys?|can't access at least one of the keys", re.I
)
_NO_CHANNEL: Final = re.compile(r"no permissions to access (?:a|one of the) channels?", re.IGNORECASE)

_KINDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (exceptions.AuthenticationError, "the password or the user name is wrong or missing"),
    (exceptions.OutOfMemoryError, "its memory is full (maxmemory), and it evicts nothing"),
    (exceptions.ReadOnlyError, "it is a replica, which takes no writes"),
    (exceptions.BusyLoadingError, "it is still loading its data"),
    (exceptions.MasterDownError, "it is a replica that has lost its primary"),
    (exceptions.ClusterDownError, "the cluster is down"),
    (exceptions.MaxConnectionsError, "all connections that max_connections allows are in use"),
    (socket.gaierror, "its host name is not known"),
    (ConnectionRefusedError, "nothing listens at its host and port"),
    (ssl.SSLCertVerificationError, "its TLS certificate is not trusted"),
    (ssl.SSLError, "there is no TLS connection to it"),
    (redis.TimeoutError, "it does not answer in time"),
    (TimeoutError, "it does not answer in time"),
    (exceptions.NoPermissionError, "a right is missing in the ACL of the user"),
    (redis.ConnectionError, "the connection to it fails"),
    (OSError, "the connection to it fails"),
)
_BEGINNINGS: Final = (
    ("MISCONF", "it takes no writes, because it cannot save its data (MISCONF)"),
    ("NOREPLICAS", "it takes no writes, because replicas are missing (NOREPLICAS)"),
    ("DB index is out of range", "it has no database of this number"),
    ("invalid DB index", "it has no database of this number"),
    ("SELECT is not allowed", "a cluster has no database but 0"),
    ("max number of clients", "it takes no more connections (maxclients)"),
)


class Troubles:
    """What a server refuses now, and what has been said of it.

    >>> troubles = Troubles(lambda: 0.0)
    >>> troubles.refused(redis.ResponseError("unknown command 'EVAL'"), ("EVAL", "script", 1, "key"))
    >>> troubles.are_there
    True
    >>> troubles.answered(("EVAL", "script", 1, "key"))
    >>> troubles.are_there
    False
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """clock: seconds."""
        self._clock = clock
        self._logged: set[str] = set()
        self._refused: set[frozenset[str]] = set()
        """The kinds of commands that were refused together, and not answered since."""
        self._left_alone_at: float | None = None
        self._is_announced = False

    @property
    def are_there(self) -> bool:
        """Whether something was refused and not answered since."""
        return bool(self._refused)

    def refused(self, error: BaseException, what: Any, consequence: str = COMPUTED) -> None:
        """Note, and log the first time, that a command or several commands were refused."""
        names, named = names_of(what), _named(error)
        # The name may also be that of a command within a script, or before the first command on a connection.
        self._refused.add(frozenset((named,)) if named in names else _kinds_of(what))
        self._log_once(f"{described(error, what)}; {consequence}")

    def unanswered(self, error: BaseException, what: Any, consequence: str = COMPUTED) -> None:
        """The same for a server that cannot be reached, or does not answer: whatever it answers ends that."""
        self._refused.add(frozenset())
        self._log_once(f"{described(error, what)}; {consequence}")

    def answered(self, what: Any) -> None:
        """Note that a command or several commands were answered."""
        kinds = names_of(what) | _kinds_of(what)
        for refused in list(self._refused):
            if refused <= kinds:
                self._refused.discard(refused)

    def left_alone(self, error: BaseException, what: Any) -> None:
        """Log that no command is sent for a while."""
        now = self._clock()
        if self._left_alone_at is None or now - self._left_alone_at >= QUIET:
            self._left_alone_at, self._is_announced = now, True
            _logger.warning("Redis is left alone for a while, and %s: %s", COMPUTED, described(error, what))

    def answers_again(self) -> None:
        """Log that commands are sent again, if it was logged that they were not."""
        if self._is_announced:
            self._is_announced = False
            _logger.warning("Redis answers again")

    def _log_once(self, trouble: str) -> None:
        if trouble not in self._logged and len(self._logged) < MAX_LOGGED:
            self._logged.add(trouble)
            _logger.warning("Redis: %s. This is logged once", trouble)


def names_of(what: Any) -> frozenset[str]:
    """The names of a command, or of several.

    >>> sorted(names_of([("SET", "key", b"value"), ("PUBLISH", "channel", b"message")]))
    ['PUBLISH', 'SET']
    >>> names_of(("PING",))
    frozenset({'PING'})
    """
    if what and isinstance(what[0], str):
        return frozenset((what[0],))
    return frozenset(command[0] for command in what)


def _kinds_of(what: Any) -> frozenset[str]:
    """The same, where each script is a kind of its own: that one is answered says nothing of another."""
    commands = [what] if what and isinstance(what[0], str) else what
    return frozenset(command[1] if command[0] == "EVAL" else command[0] for command in commands)


def described(error: BaseException, what: Any) -> str:
    """What is wrong, and what is missing, in plain words.

    >>> error = redis.exceptions.NoPermissionError("User shop has no permissions to run the 'eval' command")
    >>> described(error, ("EVAL", "return 1", 0))
    'the user may not run EVAL; its ACL needs +eval'
    """
    text = str(error)
    names = "/".join(sorted(names_of(what)))
    command = _known(_NO_COMMAND, text)
    if command is not None:
        return f"it has no command {command}, or it was renamed"
    right = _known(_NO_RIGHT, text)
    if right is not None:
        return f"the user may not run {right}; its ACL needs {_RIGHTS[right]}"
    if _NO_CHANNEL.search(text):
        return f"the user may not {names} on the channel; its ACL needs &<namespace>:daxlite:changes:*"
    if _NO_KEY.search(text):
        return f"the user may not {names} the keys; its ACL needs ~<namespace>:daxlite:*"
    for beginning, meaning in _BEGINNINGS:
        if text.startswith(beginning):
            return meaning
    causes = list(_causes(error))
    for kind, meaning in _KINDS:
        if any(isinstance(cause, kind) for cause in causes):
            return meaning
    return f"{type(error).__name__} for {names}"


def _named(error: BaseException) -> str:
    return _known(_NO_COMMAND, str(error)) or _known(_NO_RIGHT, str(error)) or ""


def _known(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    name = match[1].upper() if match is not None else None
    return name if name in _RIGHTS else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and what redis-py made it of. What lies further out is the application's."""
    yield error
    inner = error.__cause__ or error.__context__
    if inner is not None:
        yield inner
