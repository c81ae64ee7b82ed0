"""Mocks in this process that answer a client's calls in DynamoDB's place.

    moto's mock_aws      its handler of before-send is there in every client that is made after moto was imported, and
                         answers calls to AWS's own endpoints while a mock is active
    botocore's Stubber   its handler of before-call is there while it is active

Nobody tells a cache when a mock ends and the next one begins, with other tables under the same names. So what a mock
answers is not kept, unless the test says `daxlite.testing.enabled()`; then it is kept under a name that the next mock
does not have. A server over HTTP, moto's too, is no mock: its tables outlive a test.
"""

import sys
from collections.abc import Iterable
from typing import Any, Final, Protocol
from uuid import uuid4
from weakref import WeakKeyDictionary

from ..cache.switch import SWITCH
from ..core.tables import AWS, MOCKED, mock_endpoint


class Mock(Protocol):
    """What may answer a client's calls."""

    def endpoint(self) -> str | None:
        """The endpoint that stands for it; None while it does not answer."""


class _Stubbed:
    """A Stubber that has been activated, and will be another one when it is next."""

    def __init__(self) -> None:
        self._own = mock_endpoint(uuid4().hex)

    def endpoint(self) -> str:
        return self._own if SWITCH.is_on_for_mocks else MOCKED


class _Moto:
    """The handler of moto."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def endpoint(self) -> str | None:
        if not getattr(self._handler, "enabled", True):
            return None
        return _endpoint_of_data() if SWITCH.is_on_for_mocks else MOCKED


def mock_among(handlers: Iterable[Any], endpoint: str) -> Mock | None:
    """The mock among the handlers of before-call and before-send, which are given in this order. endpoint: that of the
    client, in its canonical form."""
    for handler in handlers:
        if is_stubbers(handler):
            return _Stubbed()
        if _is_motos(handler) and endpoint == AWS:
            return _Moto(handler)
    return None


def is_stubbers(handler: Any) -> bool:
    """Whether a handler is a method of a Stubber."""
    stub = sys.modules.get("botocore.stub")  # where it has not been imported, there is no Stubber
    return stub is not None and isinstance(getattr(handler, "__self__", None), stub.Stubber)


def _is_motos(handler: Any) -> bool:
    kind = type(handler)
    return kind.__name__ == "BotocoreStubber" and kind.__module__.partition(".")[0] == "moto"


_endpoints: Final[WeakKeyDictionary[object, str]] = WeakKeyDictionary()
"""By what moto makes anew whenever it drops its data."""


def _endpoint_of_data() -> str:
    """The endpoint that stands for what moto holds now. It is that of mocks of which nothing is kept where moto holds
    nothing yet, and for a moto before 5, which does not show when it drops its data."""
    data = getattr(sys.modules.get("moto.dynamodb.models"), "dynamodb_backends", None)
    if "moto.core.decorator" not in sys.modules or data is None:
        return MOCKED
    try:
        account = next(iter([*data.values()]), None)
        return MOCKED if account is None else _endpoints.setdefault(account, mock_endpoint(uuid4().hex))
    except (AttributeError, TypeError):  # moto has no public way to ask; a test holds this against the one installed
        return MOCKED
