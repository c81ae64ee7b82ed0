"""Looks at what goes over the wire: the bodies that a client sends, and the raw replies that it receives.

botocore tries a call again by itself. Only its hooks see how each attempt ended:

    before-call                       the request
    before-parse, needs-retry         the reply of the first attempt; for an exception needs-retry alone
    before-parse, needs-retry         that of the second
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import msgspec

from ..core.attempts import Answer, Attempts
from ..core.replies import is_whole
from ..core.steps import Params


class Seen:
    """What was seen of one call. Defaults stand on the class, so that most calls cost no more than they use."""

    requests: int = 0
    """More than one if a hook of the application's made another call within this one. Then replies and attempts are of
    either, and nothing follows from them."""
    body: object = None
    """That of the last request."""
    is_whole: bool | None = None
    """Whether the last reply arrived whole; None where none was seen."""
    attempts: Attempts = ()
    result: int | None = None
    """The id of what the call returned or raised, which lives for as long as it is asked about."""


under_way: Final[ContextVar[Seen | None]] = ContextVar("daxlite_under_way", default=None)
"""The call that is being made in this context."""

last: Final[ContextVar[Seen | None]] = ContextVar("daxlite_last", default=None)
"""The last call in this context that is over."""


def look_at(client: Any) -> None:
    """Have the client's requests and replies looked at as they pass. It changes nothing about them."""
    service, events = client.meta.service_model.service_id.hyphenize(), client.meta.events
    events.register_last(f"before-call.{service}", _look_at_request, unique_id="daxlite-requests")
    events.register_first(f"before-parse.{service}", _look_at_reply, unique_id="daxlite-replies")
    events.register_first(f"needs-retry.{service}", _look_at_attempt, unique_id="daxlite-attempts")


def what_was_sent() -> Params:
    """The parameters of the last call in this context, as they went over the wire. Raises ValueError if there was
    none, or if it was not JSON."""
    seen = last.get()
    body = None if seen is None else seen.body
    if not isinstance(body, bytes):
        raise ValueError("no request was seen")
    sent: Params = msgspec.json.decode(body, type=dict[str, Any])
    return sent


def attempts_of(result: object) -> Attempts:
    """How the attempts ended of the call that has just returned or raised this."""
    seen = last.get()
    return seen.attempts if seen is not None and seen.requests == 1 and seen.result == id(result) else ()


def _look_at_request(params: Mapping[str, Any], **_: Any) -> None:
    seen = under_way.get()
    if seen is not None:
        seen.requests += 1
        seen.body = params.get("body")


def _look_at_reply(response_dict: Mapping[str, Any], **_: Any) -> None:
    seen = under_way.get()
    if seen is not None:
        body = response_dict.get("body")
        seen.is_whole = is_whole(body, response_dict.get("headers", {})) if isinstance(body, bytes) else None


def _look_at_attempt(response: Any, **_: Any) -> None:
    seen = under_way.get()
    if seen is not None:
        answer = None
        if response is not None and seen.is_whole is not False:
            reply, parsed = response
            answer = Answer(reply.status_code, parsed.get("Error", {}).get("Code"))
        seen.attempts = (*seen.attempts, answer)
