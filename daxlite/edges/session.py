"""Sessions whose DynamoDB clients and resources answer from a cache."""

import copy
from collections.abc import Callable
from typing import Any, Self

from .cache import Cache
from .stand_in import StandIn


class CachingSession(StandIn):
    """A stand-in for a session: what it makes for DynamoDB is wrapped, other services are as ever.

    Its copies are copies of the session, and what they make shares the cache."""

    def __init__(self, session: Any, cache: Cache, wrap: Callable[[Any], Any]) -> None:
        super().__init__(session, cache)
        self._self_session: Any = session
        self._self_wrap = wrap

    def _self_make(self, make: Callable[..., Any], service_name: str, *args: Any, **kwargs: Any) -> Any:
        made = make(service_name, *args, **kwargs)
        return self._self_wrap(made) if service_name == "dynamodb" else made

    def __copy__(self) -> Self:
        return type(self)(copy.copy(self._self_session), self._self_cache, self._self_wrap)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(copy.deepcopy(self._self_session, memo), self._self_cache, self._self_wrap)


class CachingBoto3Session(CachingSession):
    """The sessions of boto3 and of aioboto3."""

    def client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        return self._self_make(self._self_session.client, service_name, *args, **kwargs)

    def resource(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        return self._self_make(self._self_session.resource, service_name, *args, **kwargs)


class CachingBotocoreSession(CachingSession):
    """The sessions of botocore and of aiobotocore."""

    def create_client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        return self._self_make(self._self_session.create_client, service_name, *args, **kwargs)
