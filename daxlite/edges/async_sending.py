"""Sends a call of a wrapped client for asyncio, and tells whether its reply arrived whole."""

from contextlib import suppress
from typing import Any

from ..core.replies import BrokenReply, may_be_whole
from ..core.steps import Params, Response
from ..drivers.asyncio import AsyncSend
from .replies import Seen, last, under_way


async def async_call_checked(client: Any, operation: str, params: Params, make: AsyncSend | None = None) -> Response:
    """Make a call. Raises BrokenReply for a response that did not arrive whole.

    make: the client's `_make_api_call` unless given. That is looked up at each call: instrumentation may replace it on
    the class at any time.
    """
    seen = Seen(client, operation, params)
    token = under_way.set(seen)
    try:
        response: Response = await (make or client._make_api_call)(operation, params)
    except BaseException as error:
        # twin: leave out
        if isinstance(error.__context__, GeneratorExit):  # collected in another context, of which aiobotocore complains
            raise error.__context__ from None
        # twin: end
        seen.result = id(error)
        raise
    finally:
        # twin: leave out
        with suppress(ValueError):  # a coroutine that was left is collected in another context
            under_way.reset(token)
        # twin: put in
        # under_way.reset(token)
        # twin: end
        last.set(seen)
        seen.call = None  # the last call of a thread keeps no client alive
    seen.result = id(response)
    whole = seen.is_whole if seen.requests == 1 else None
    if whole is False or (whole is None and not may_be_whole(response)):
        raise BrokenReply(response)
    return response


async def async_call_plainly(client: Any, operation: str, params: Params) -> Response:
    """Make a call of which nothing follows."""
    token = under_way.set(Seen(client, operation, params))
    try:
        response: Response = await client._make_api_call(operation, params)
        return response
    finally:
        # twin: leave out
        with suppress(ValueError):
            under_way.reset(token)
        # twin: put in
        # under_way.reset(token)
        # twin: end
