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

    is_made: bool = False
    """Whether the call has come as far as the client's own method; see `is_own_call`."""
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

    def __init__(self, *call: Any) -> None:
        self.call: Any = call
        """The client, the operation and the parameters; None once the call is over."""


under_way: Final[ContextVar[Seen | None]] = ContextVar("daxlite_under_way", default=None)
"""The call that is being made in this context."""

call_under_way: Final = under_way.get
"""Whether `is_own_call` has to be asked at all: one call of C's, for every hit under `install`."""

last: Final[ContextVar[Seen | None]] = ContextVar("daxlite_last", default=None)
"""The last call in this context that is over."""


def look_at(client: Any) -> None:
    """Have the client's requests and replies looked at as they pass. It changes nothing about them."""
    service, events = client.meta.service_model.service_id.hyphenize(), client.meta.events
    events.register_last(f"before-call.{service}", _look_at_request, "daxlite-requests", unique_id_uses_count=True)
    events.register_first(f"before-parse.{service}", _look_at_reply, "daxlite-replies", unique_id_uses_count=True)
    events.register_first(f"needs-retry.{service}", _look_at_attempt, "daxlite-attempts", unique_id_uses_count=True)


def look_away(client: Any) -> None:
    """Undo one `look_at`."""
    service, events = client.meta.service_model.service_id.hyphenize(), client.meta.events
    events.unregister(f"before-call.{service}", _look_at_request, "daxlite-requests", unique_id_uses_count=True)
    events.unregister(f"before-parse.{service}", _look_at_reply, "daxlite-replies", unique_id_uses_count=True)
    events.unregister(f"needs-retry.{service}", _look_at_attempt, "daxlite-attempts", unique_id_uses_count=True)


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


def is_own_call(client: Any, operation: str, params: Params) -> bool:
    """Whether a dispatcher makes this call here and now, so that it is not to be cached once more: it has come by way
    of the client's class, which instrumentation, and `install`, can get in between.

    A wrapper may hand on a copy of the parameters, or try again with the same. Another call on the client within this
    one, such as a hook's, is no call of the dispatcher's.
    """
    seen = under_way.get()
    call = None if seen is None else seen.call
    if seen is None or call is None:
        return False
    its_client, its_operation, its_params = call
    if its_client is not client or its_operation != operation:
        return False
    if its_params is params or (not seen.is_made and its_params == params):
        seen.is_made = True
        return True
    return False
