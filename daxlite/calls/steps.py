"""Steps: calls to DynamoDB, yielded by whoever needs their answers."""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeAlias

Params: TypeAlias = dict[str, Any]
"""A request's parameters, as the application gave them."""
Response: TypeAlias = dict[str, Any]


class Call(NamedTuple):
    """One call to send."""

    operation: str
    params: Params


Steps: TypeAlias = Generator[Call, Response, Response]
Send: TypeAlias = Callable[[str, Params], Response]


def run(steps: Steps, send: Send) -> Response:
    """Send what the steps ask for, one after the other, until they return a response. Their errors are the caller's."""
    try:
        call = next(steps)
        while True:
            try:
                response = send(*call)
            except BaseException as error:  # noqa: BLE001 - a write interrupted by Ctrl-C may have been applied
                call = steps.throw(error)
            else:
                call = steps.send(response)
    except StopIteration as finished:
        answer: Response = finished.value
        return answer
    finally:
        steps.close()
