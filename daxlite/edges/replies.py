"""Looks at what goes over the wire: the bodies that a client sends, and the raw replies that it receives."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import msgspec

from ..core.replies import BrokenReply, is_whole, may_be_whole
from ..core.steps import Params, Response

_is_whole: Final[ContextVar[bool | None]] = ContextVar("daxlite_is_whole", default=None)
"""Whether the last reply in this context arrived whole; None where none was seen."""


_sent: Final[ContextVar[bytes | None]] = ContextVar("daxlite_sent", default=None)
"""The body of the last request in this context."""


def look_at(client: Any) -> None:
    """Have the client's requests and replies looked at as they pass. It changes nothing about them."""
    service, events = client.meta.service_model.service_id.hyphenize(), client.meta.events
    events.register_last(f"before-call.{service}", _look_at_request, unique_id="daxlite-requests")
    events.register_first(f"before-parse.{service}", _look_at_reply, unique_id="daxlite-replies")


def what_was_sent() -> Params:
    """The parameters of the last request in this context, as they went over the wire. Raises ValueError if there was
    none, or if it was not JSON."""
    body = _sent.get()
    if body is None:
        raise ValueError("no request was seen")
    sent: Params = msgspec.json.decode(body, type=dict[str, Any])
    return sent


def _look_at_request(params: Mapping[str, Any], **_: Any) -> None:
    body = params.get("body")
    _sent.set(body if isinstance(body, bytes) else None)


def _look_at_reply(response_dict: Mapping[str, Any], **_: Any) -> None:
    body = response_dict.get("body")
    _is_whole.set(is_whole(body, response_dict.get("headers", {})) if isinstance(body, bytes) else None)


def call_checked(client: Any, operation: str, params: Params) -> Response:
    """Make a call. Raises BrokenReply for a response that did not arrive whole."""
    _is_whole.set(None)
    _sent.set(None)
    # Looked up at each call: instrumentation may replace the method on the class at any time.
    response: Response = client._make_api_call(operation, params)
    whole = _is_whole.get()
    if whole is False or (whole is None and not may_be_whole(response)):
        raise BrokenReply(response)
    return response
