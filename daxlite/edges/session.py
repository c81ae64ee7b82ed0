"""A boto3 session whose DynamoDB clients and resources answer from a cache."""

import copy
from collections.abc import Callable
from typing import Any

import boto3

from .cache import Cache
from .stand_in import StandIn


class CachingSession(StandIn):
    """A stand-in for a session: what it makes for DynamoDB is wrapped, other services are as ever.

    Its copies are copies of the session, and what they make shares the cache."""

    def __init__(self, session: boto3.Session, cache: Cache, wrap: Callable[[Any], Any]) -> None:
        super().__init__(session)
        self._self_cache = cache
        self._self_session: Any = session
        self._self_wrap = wrap

    def client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        made = self._self_session.client(service_name, *args, **kwargs)
        return self._self_wrap(made) if service_name == "dynamodb" else made

    def resource(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        made = self._self_session.resource(service_name, *args, **kwargs)
        return self._self_wrap(made) if service_name == "dynamodb" else made

    def __copy__(self) -> "CachingSession":
        return CachingSession(copy.copy(self._self_session), self._self_cache, self._self_wrap)

    def __deepcopy__(self, memo: dict[int, Any]) -> "CachingSession":
        return CachingSession(copy.deepcopy(self._self_session, memo), self._self_cache, self._self_wrap)
