"""What became of a call: what its result tells, together with how each of its attempts ended.

throttled, throttled, 200           APPLIED: this call wrote once
connection reset, throttled         UNKNOWN: the first attempt may have been applied, or may yet be
500, 200                            APPLIED_AGAIN: the first attempt may have been applied as well, or may yet be
throttled, throttled                REFUSED: nothing was written
"""

from collections.abc import Mapping, Set
from enum import Enum
from typing import Any, Final

from botocore.exceptions import ClientError, ParamValidationError, StubAssertionError, StubResponseError

from ..core.attempts import Answer, Attempts
from ..core.steps import NeverSent, Response

_OF_THE_WHOLE_CALL: Final = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SerializationException",
        "ThrottlingException",
        "UnrecognizedClientException",
    }
)
"""Errors that DynamoDB raises before it applies anything of a call, a batch included: of a batch that is throttled in
part it hands back the rest, without an error."""

_OF_ONE_WRITE: Final = _OF_THE_WHOLE_CALL | {
    "ItemCollectionSizeLimitExceededException",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "ValidationException",
}
"""Errors that DynamoDB raises before it applies anything of a call that is not a batch."""

_CONDITIONS: Final = frozenset(
    {"ConditionalCheckFailedException", "TransactionCanceledException", "TransactionConflictException"}
)
"""Errors that tell that nothing was applied, and that what the application had read is perhaps old."""

_REFUSING_REASONS: Final = frozenset(
    {"ItemCollectionSizeLimitExceeded", "ProvisionedThroughputExceeded", "ThrottlingError", "ValidationError"}
)
"""Reasons for which a transaction is cancelled that say nothing of what its items are."""


class Outcome(Enum):
    """What became of a write."""

    APPLIED = "applied"
    """It was applied, by the last attempt alone: each earlier one was refused."""
    APPLIED_AGAIN = "applied again"
    """It was applied. An earlier attempt, whose outcome is unknown, may have been as well, or may yet be."""
    REFUSED = "refused"
    """It was not applied: every attempt was refused, or none was sent."""
    FAILED_CONDITION = "failed condition"
    """It was not applied, because of what its items are, or of another transaction; every earlier attempt was refused.
    So what the application had read of them is perhaps old."""
    UNKNOWN = "unknown"
    """An attempt, not always the last one, may have been applied, or may yet be."""

    @property
    def is_certain(self) -> bool:
        """Whether it is known of each attempt whether it was applied."""
        return self is not Outcome.UNKNOWN and self is not Outcome.APPLIED_AGAIN


def outcome_of(result: Response | BaseException, attempts: Attempts, *, is_batch: bool = False) -> Outcome:
    """What became of a write that returned or raised this. When in doubt it was applied (promise P9).

    attempts: those that were seen; the result of a call that was not retried is enough.
    is_batch: the call is not one write but many. That DynamoDB refuses all of it because of one of them is not certain.

    >>> outcome_of({"ResponseMetadata": {"RetryAttempts": 1}}, (Answer(400, "ThrottlingException"), Answer(200)))
    <Outcome.APPLIED: 'applied'>
    >>> outcome_of({"ResponseMetadata": {"RetryAttempts": 1}}, (None, Answer(200)))
    <Outcome.APPLIED_AGAIN: 'applied again'>
    """
    refusals = _OF_THE_WHOLE_CALL if is_batch else _OF_ONE_WRITE
    if isinstance(result, dict):
        is_known = _are_accounted_for(result.get("ResponseMetadata", {}), attempts, refusals)
        return Outcome.APPLIED if is_known else Outcome.APPLIED_AGAIN
    if was_never_sent(result):
        return Outcome.REFUSED
    if not isinstance(result, ClientError):
        return Outcome.UNKNOWN
    metadata: Mapping[str, Any] = result.response.get("ResponseMetadata", {})
    last = Answer(metadata.get("HTTPStatusCode", 0), code_of(result))
    if not _is_refusal_by(last, refusals | _CONDITIONS) or not _are_accounted_for(metadata, attempts, refusals):
        return Outcome.UNKNOWN
    if last.code in refusals:
        return Outcome.REFUSED
    if is_batch:
        return Outcome.UNKNOWN
    return Outcome.REFUSED if _is_refused_transaction(result) else Outcome.FAILED_CONDITION


def _are_accounted_for(metadata: Mapping[str, Any], attempts: Attempts, refusals: Set[str]) -> bool:
    """Whether the last attempt was answered whole, and each one before it refused."""
    retries = metadata.get("RetryAttempts")
    if not attempts:
        return bool(retries == 0)
    return (
        len(attempts) - 1 == retries
        and attempts[-1] is not None
        and all(_is_refusal_by(each, refusals) for each in attempts[:-1])
    )


def _is_refusal_by(answer: Answer | None, codes: Set[str]) -> bool:
    return answer is not None and 400 <= answer.status < 500 and answer.code in codes


def _is_refused_transaction(error: ClientError) -> bool:
    """Whether a transaction was cancelled for reasons alone that say nothing of what its items are."""
    if code_of(error) != "TransactionCanceledException":
        return False
    reasons: Any = error.response.get("CancellationReasons", ())
    codes = {reason.get("Code") for reason in reasons} - {"None"}
    return bool(codes) and codes <= _REFUSING_REASONS


def was_never_sent(error: BaseException) -> bool:
    """Whether botocore refused the call by itself, or the task was cancelled before."""
    return isinstance(error, ParamValidationError | StubResponseError | NeverSent)


def code_of(error: BaseException) -> str | None:
    """DynamoDB's name for the error, such as "ValidationException"."""
    return error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None


def is_missing_table(error: BaseException) -> bool:
    return code_of(error) == "ResourceNotFoundException"


def refuses_addition(operation: str, error: BaseException, attempts: Attempts) -> bool:
    """Whether the error may be owed to what daxlite added to a request.

    IAM can deny return values and attributes, a Stubber compares a request with the expected one, the projection of a
    batch may grow beyond what DynamoDB allows, and an index of a table that is not described may be a global one, which
    has no strongly consistent reads.
    """
    if operation in ("BatchGetItem", "Query", "Scan") and code_of(error) == "ValidationException":
        return True
    if code_of(error) == "AccessDeniedException":
        return outcome_of(error, attempts) is Outcome.REFUSED
    return isinstance(error, StubAssertionError)
