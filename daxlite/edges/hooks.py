"""The hooks of a client: functions that botocore calls on the way of each request, the application's own among them.

    provide-client-params, before-parameter-build   may rewrite what is asked for
    before-call                                     may rewrite the body, or answer in DynamoDB's place
    before-parse, after-call                        may rewrite the answer
    request-created, before-sign, before-send       see the finished request, and may refuse it

A cache key must follow from what is sent, and a cached answer must be what DynamoDB said. So operations with a foreign
hook of the first three rows bypass the cache. For a hit no hook runs at all. A hook of the last row therefore misses
the calls that the cache answers; that is logged once.

botocore keeps the handlers of a client in a trie. It replaces its cache of look-ups whenever a handler is registered or
unregistered, so one comparison of identities tells a hit that nothing has changed.
"""

import logging
from collections.abc import Iterator
from typing import Any, Final

from ..calls.dialects import Dialect, dialect_of

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
        """botocore's cache of look-ups when the hooks were last looked at: another one if they may have changed."""
        self.rewritten: dict[str, bool] = {}
        """By operation, as far as `rewrite` was asked."""
        self._is_logged: set[str] = set()

    def refresh(self) -> None:
        """Look at the hooks anew from here on."""
        self.rewritten = {}
        self.seen = self.emitter._lookup_cache

    def rewrite(self, operation: str) -> bool:
        """Whether a hook of the application's may rewrite requests or answers of the operation."""
        known = self.rewritten.get(operation)
        if known is None:
            for name in self._foreign(WATCHING, operation):
                self._log_once(name, "%s hears only of the calls that are sent: for a cached answer no hook runs", name)
            names = list(self._foreign(REWRITING, operation))
            for name in names:
                self._log_once(name, "%s may rewrite calls, so the calls that it hears of bypass the cache", name)
            known = self.rewritten[operation] = bool(names)
        return known

    def dialect(self) -> Dialect:
        """The form of values of the client, which follows from the hooks that boto3 has registered by now."""
        return dialect_of(self._meta)

    def _foreign(self, events: tuple[str, ...], operation: str) -> Iterator[str]:
        for event in events:
            for handler in self.emitter._handlers.prefix_search(f"{event}.{self._service}.{operation}"):
                name = _name_of(handler)
                if name.partition(".")[0] not in _HARMLESS:
                    yield name

    def _log_once(self, name: str, message: str, *arguments: str) -> None:
        if name not in self._is_logged:
            self._is_logged.add(name)
            _logger.warning(message, *arguments)


def _name_of(handler: Any) -> str:
    """Module and name of a handler, of what a partial calls, or of the class of a callable object."""
    handler = getattr(handler, "func", handler)
    named = handler if hasattr(handler, "__qualname__") else type(handler)
    owner = getattr(handler, "__self__", None)
    if owner is not None and not isinstance(owner, type):
        return f"{type(owner).__module__}.{getattr(named, '__qualname__', named)}"
    return f"{getattr(named, '__module__', '')}.{named.__qualname__}"
