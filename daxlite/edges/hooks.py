"""The hooks of a client: functions that botocore calls on the way of each request, the application's own among them.

    provide-client-params, before-parameter-build   may rewrite what is asked for
    before-call                                     may rewrite the body, or answer in DynamoDB's place
    before-parse, after-call                        may rewrite the answer
    request-created, before-sign, before-send       see the finished request, and may refuse it

A cache key must follow from what is sent, and a cached answer must be what DynamoDB said. So operations with a foreign
hook of the first three rows bypass the cache. For a hit no hook runs at all. A hook of the last row therefore misses
the calls that the cache answers; that is logged once.

botocore keeps the handlers of a client in a trie. It replaces its cache of look-ups whenever a handler is registered or
unregistered, so one comparison of identities tells a hit that nothing has changed. Where one of the handlers is that of
a mock, which may begin or end at any moment, each call is made to look.
"""

import logging
from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from ..calls.context import Context
from ..calls.dialects import dialect_of
from ..calls.said_once import is_said_first
from .mocks import Mock, is_stubbers, mock_among

_logger: Final = logging.getLogger("daxlite")

REWRITING: Final = ("provide-client-params", "before-parameter-build", "before-call", "before-parse", "after-call")
WATCHING: Final = ("request-created", "before-sign", "before-send")

# These see requests, or add headers to them, and leave parameters and answers alone; moto answers in DynamoDB's place.
_HARMLESS: Final = (
    "aioboto3",
    "aiobotocore",
    "botocore",
    "boto3",
    "daxlite",
    "moto",
    "pynamodb",
    "aws_lambda_powertools",
    "opentelemetry",
    "aws_xray_sdk",
    "ddtrace",
    "sentry_sdk",
    "newrelic",
    "elasticapm",
    "wrapt",
)


class Hooks:
    """What is known of one client's hooks. It is looked up again only when one was added or removed."""

    def __init__(self, client: Any) -> None:
        self._meta = client.meta  # not the client, which may refer to this
        # botocore has no public way to ask for handlers; a test holds this against the botocore that is installed.
        events = client.meta.events
        self.emitter: Any = getattr(events, "_emitter", events)
        self._service = client.meta.service_model.service_id.hyphenize()
        self.seen: object = None
        """botocore's cache of look-ups when the hooks were last looked at: another one if they may have changed. None
        where a mock may answer."""
        self._looked_up: object = None
        """The same, whether or not a mock may answer."""
        self._mock: Mock | None = None
        self._names: Any = None
        """The names of DynamoDB's own tables, from the first call on."""
        self.rewritten: dict[str, bool] = {}
        """By operation, as far as `rewrite` was asked."""
        self._cache: Any = None

    def context(self, known: Context) -> Context:
        """The context of the next call: with the form of values that follows from the hooks that boto3 has registered
        by now, and with the tables of the mock that answers, if one does. known: that of the last call."""
        looked_up = self.emitter._lookup_cache
        if self._looked_up is not looked_up:
            self._look_up(known)
            self._looked_up = looked_up
            self.seen = None if self._mock is not None else looked_up
        endpoint = None if self._mock is None else self._mock.endpoint()
        names = self._names if endpoint is None else self._names_at(endpoint, known)
        return known if names is known.names else replace(known, names=names)

    def _look_up(self, known: Context) -> None:
        self.rewritten, self._cache = {}, known.cache
        known.dialect = dialect_of(self._meta)
        self._names = self._names or known.names
        handlers = [each for event in ("before-call", "before-send") for each in self._handlers(event, "GetItem")]
        self._mock = mock_among(handlers, self._names.scope.endpoint)

    def _names_at(self, endpoint: str, known: Context) -> Any:
        if known.names.scope.endpoint == endpoint:
            return known.names
        return known.cache.names(self._names.scope._replace(endpoint=endpoint, account=None))

    def rewrite(self, operation: str) -> bool:
        """Whether a hook of the application's may rewrite requests or answers of the operation."""
        known = self.rewritten.get(operation)
        if known is None:
            for name in self._foreign(WATCHING, operation):
                self._log_once(name, "%s hears only of the calls that are sent: for a cached answer no hook runs")
            names = list(self._foreign(REWRITING, operation))
            for name in names:
                self._log_once(name, "%s may rewrite calls, so the calls that it hears of bypass the cache")
            known = self.rewritten[operation] = bool(names)
        return known

    def _handlers(self, event: str, operation: str) -> list[Any]:
        return [*self.emitter._handlers.prefix_search(f"{event}.{self._service}.{operation}")]

    def _foreign(self, events: tuple[str, ...], operation: str) -> Iterator[str]:
        for event in events:
            for handler in self._handlers(event, operation):
                name = _name_of(handler)
                if name.partition(".")[0] not in _HARMLESS and not is_stubbers(handler):
                    yield name

    def _log_once(self, name: str, message: str) -> None:
        """Once for each cache: a program may make a client for each request."""
        if is_said_first(self._cache, (message, name)):
            _logger.warning(message, name)


def _name_of(handler: Any) -> str:
    """Module and name of a handler, of what a partial calls, or of the class of a callable object."""
    handler = getattr(handler, "func", handler)
    named = handler if hasattr(handler, "__qualname__") else type(handler)
    owner = getattr(handler, "__self__", None)
    if owner is not None and not isinstance(owner, type):
        return f"{type(owner).__module__}.{getattr(named, '__qualname__', named)}"
    return f"{getattr(named, '__module__', '')}.{named.__qualname__}"
