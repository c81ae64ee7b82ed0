"""A boto3 session whose DynamoDB clients and resources answer from a cache."""

from collections.abc import Callable
from typing import Any

import boto3
import wrapt


class CachingSession(wrapt.BaseObjectProxy[boto3.Session]):
    """A stand-in for a session: what it makes for DynamoDB is wrapped, other services are as ever."""

    def __init__(self, session: boto3.Session, wrap: Callable[[Any], Any]) -> None:
        super().__init__(session)
        self._self_session: Any = session
        self._self_wrap = wrap

    def client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        made = self._self_session.client(service_name, *args, **kwargs)
        return self._self_wrap(made) if service_name == "dynamodb" else made

    def resource(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        made = self._self_session.resource(service_name, *args, **kwargs)
        return self._self_wrap(made) if service_name == "dynamodb" else made

    def __repr__(self) -> str:
        return f"<daxlite: {self.__wrapped__!r}>"
