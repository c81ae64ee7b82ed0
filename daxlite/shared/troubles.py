"""Troubles with Redis: said in the log once when they begin and once when they end, in plain words.

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
from redis.sentinel import MasterNotFoundError

_logger: Final = logging.getLogger("daxlite")

MAX_LOGGED: Final = 50
"""So many different troubles are logged."""
QUIET: Final = 60.0
"""Seconds after the message that a trouble began until the next one of it: one that comes and goes fills no log."""
UNCACHED: Final = "calls go on as without it"
"""What a refused command costs."""

# Each command that is sent, by daxlite or by redis-py, and the right that it needs. No other name in an error's message
# is repeated.
_RIGHTS: Final = {
    name: f"+{name.lower()}"
    for name in (
        *("GET", "MGET", "SET", "PEXPIRE", "DEL", "EVAL", "EVALSHA", "TIME", "PUBLISH", "PSUBSCRIBE", "SUBSCRIBE"),
        *("PING", "ROLE", "INFO", "AUTH", "HELLO", "SELECT", "ASKING", "COMMAND"),
        *("CLUSTER", "CLUSTER|SLOTS", "CLUSTER|SHARDS", "EXISTS"),
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
    (exceptions.MovedError, "it is one of a cluster; a redis.RedisCluster must be given for it"),
    (exceptions.TryAgainError, "keys are on their way to another server of the cluster"),
    (exceptions.InvalidResponse, "what it says is not Redis's protocol"),
    (MasterNotFoundError, "no Sentinel names a primary"),
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
    ("BUSY", "it is busy with a script of another client (BUSY)"),
    (
        "This instance has cluster support disabled",
        "it is no server of a cluster, for which a redis.Redis must be given",
    ),
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
        self._logged_at: dict[str, float] = {}
        """When it was last logged that a trouble began."""
        self._refused: dict[frozenset[str], dict[str, bool]] = {}
        """By the kinds of commands that were refused together, and not answered since: why, and whether it is said."""

    @property
    def are_there(self) -> bool:
        """Whether something was refused and not answered since."""
        return bool(self._refused)

    def refused(self, error: BaseException, what: Any, consequence: str = UNCACHED) -> None:
        """Note, and log as it begins, that a command or several commands were refused."""
        names, name = names_of(what), named(error)
        # The name may also be that of a command within a script, or before the first command on a connection.
        self._begun(frozenset((name,)) if name in names else _kinds_of(what), error, what, consequence)

    def unanswered(self, error: BaseException, what: Any, consequence: str = UNCACHED) -> None:
        """The same for a server that cannot be reached, or does not answer: whatever it answers ends that."""
        self._begun(frozenset(), error, what, consequence)

    def answered(self, what: Any) -> None:
        """Note, and log, that what was refused is answered."""
        kinds = names_of(what) | _kinds_of(what)
        for refused in [*self._refused]:
            if refused <= kinds:
                ended = self._refused.pop(refused, {})
                for trouble in [trouble for trouble, is_said in [*ended.items()] if is_said]:
                    _logger.warning("Redis: this has ended: %s", trouble)

    def _begun(self, kinds: frozenset[str], error: BaseException, what: Any, consequence: str) -> None:
        trouble, now = described(error, what), self._clock()
        troubles = self._refused.setdefault(kinds, {})
        if troubles.setdefault(trouble, False):
            return
        last = self._logged_at.get(trouble)
        if last is None and len(self._logged_at) >= MAX_LOGGED:
            return
        if last is None or now - last >= QUIET:
            self._logged_at[trouble] = now
            troubles[trouble] = True
            _logger.warning("Redis: %s; %s", trouble, consequence)


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


def named(error: BaseException) -> str:
    """The command of which an error says that it may not be run or that there is none; else an empty string."""
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
