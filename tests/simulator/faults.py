"""How calls go wrong. Each effect is what a caller is left with once botocore has given up retrying.

    simulator.faults.append(Fault(LOST_REPLY, {"PutItem"}))                      # the next PutItem
    simulator.faults.append(Fault(THROTTLED, when=lambda call: ..., times=None))  # every call that ...

A rule is any function from a call to an effect, or to None where it has nothing to say; the first that has decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from tests.simulator.errors import RefusedError
from tests.simulator.history import Call

ENDPOINT = "http://dynamodb.simulated.invalid"
"""What the clients of the simulator are given as their endpoint. No such name exists."""


@dataclass(frozen=True)
class Effect:
    name: str
    times_applied: int = 1
    """How often the server carries the request out."""
    tells: Callable[[Call], Exception] | None = None
    """What the caller is told, if it is not what the server answered."""
    leaves_out: Callable[[str, Any], bool] | None = None
    """Which parts of a batch are left unprocessed: given the table, and the key to get or the request to write."""


Rule = Callable[[Call], Effect | None]


@dataclass
class Fault:
    """A rule that strikes the first calls that it applies to."""

    effect: Effect
    operations: Collection[str] = ()
    """Only these operations; all if empty."""
    when: Callable[[Call], bool] | None = None
    times: int | None = 1
    """How many calls; None for no end."""

    def __call__(self, call: Call) -> Effect | None:
        if self.times == 0 or (self.operations and call.operation not in self.operations):
            return None
        if self.when is not None and not self.when(call):
            return None
        if self.times is not None:
            self.times -= 1
        return self.effect


def _refusal(code: str, message: str, status: int = 400) -> Callable[[Call], Exception]:
    return lambda call: RefusedError(code, message, status)


def _server_error(call: Call) -> Exception:
    return RefusedError("InternalServerError", "Internal server error", 500)


def _read_timeout(call: Call) -> Exception:
    return ReadTimeoutError(endpoint_url=ENDPOINT)


def _connection_closed(call: Call) -> Exception:
    return ConnectionClosedError(endpoint_url=ENDPOINT)


def _access_denied(call: Call) -> Exception:
    user = "User: arn:aws:iam::000000000000:user/tester"
    return RefusedError("AccessDeniedException", f"{user} is not authorized to perform: dynamodb:{call.operation}")


def _conflict(call: Call) -> Exception:
    if call.operation not in ("TransactWriteItems", "TransactGetItems"):
        return RefusedError("TransactionConflictException", "Transaction is ongoing for the item")
    reasons = [{"Code": "None"} for _ in call.request["TransactItems"]]
    reasons[0] = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
    message = "Transaction cancelled, please refer cancellation reasons for specific reasons"
    return RefusedError("TransactionCanceledException", message, CancellationReasons=reasons)


NO_FAULT = Effect("no fault")

LOST_REQUEST = Effect("lost request", 0, lambda call: EndpointConnectionError(endpoint_url=ENDPOINT))
"""Nothing listened: the server never heard of it."""
LOST_REPLY = Effect("lost reply", 1, _read_timeout)
"""Carried out, but the answer did not arrive in time."""
TIMEOUT = Effect("timeout", 0, _read_timeout)
"""The same for the caller, but it was never carried out."""
CLOSED_AFTER = Effect("closed after", 1, _connection_closed)
CLOSED_BEFORE = Effect("closed before", 0, _connection_closed)
SERVER_ERROR_AFTER = Effect("server error after", 1, _server_error)
SERVER_ERROR_BEFORE = Effect("server error before", 0, _server_error)
RETRIED = Effect("retried", 2)
"""The first reply was lost and botocore sent the request again: it is carried out twice, and the caller sees the
second answer."""

THROTTLED = Effect("throttled", 0, _refusal("ThrottlingException", "Rate of requests exceeds the allowed throughput."))
THROUGHPUT_EXCEEDED = Effect(
    "throughput exceeded",
    0,
    _refusal("ProvisionedThroughputExceededException", "The level of configured provisioned throughput was exceeded."),
)
ACCESS_DENIED = Effect("access denied", 0, _access_denied)
CONFLICT = Effect("conflict", 0, _conflict)
"""Another transaction held the item."""


def unprocessed(choose: Callable[[str, Any], bool] = lambda table, part: True) -> Effect:
    """BatchWriteItem and BatchGetItem hand back the chosen parts as unprocessed."""
    return Effect("unprocessed", leaves_out=choose)


def asks_for_return_values(call: Call) -> bool:
    """For Fault(ACCESS_DENIED, when=...): a policy may forbid to see what one may change."""
    return bool(call.request.get("ReturnValues", "NONE") != "NONE")
