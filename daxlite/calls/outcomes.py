"""What an error tells about the call that raised it."""

from typing import Final

from botocore.exceptions import ClientError, ParamValidationError, StubAssertionError, StubResponseError

# Errors that DynamoDB raises before it applies anything.
_REFUSED: Final = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "ItemCollectionSizeLimitExceededException",
        "MissingAuthenticationTokenException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "SerializationException",
        "ThrottlingException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)


def was_never_sent(error: BaseException) -> bool:
    """Whether botocore refused the call by itself."""
    return isinstance(error, ParamValidationError | StubResponseError)


def changed_nothing(error: BaseException) -> bool:
    """Whether a write that failed so is certain not to have been applied. When in doubt it may have been (promise P9).

    An error that came after a retry says nothing of the attempts before it: one may have been applied, its answer lost.
    """
    if was_never_sent(error):
        return True
    if not isinstance(error, ClientError) or code_of(error) not in _REFUSED:
        return False
    return not was_retried(error)


def code_of(error: BaseException) -> str | None:
    """DynamoDB's name for the error, such as "ValidationException"."""
    return error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None


def is_failed_condition(error: BaseException) -> bool:
    """Whether a write is certain not to have been applied because its condition failed."""
    return code_of(error) == "ConditionalCheckFailedException" and not was_retried(error)


def was_retried(error: BaseException) -> bool:
    """Whether botocore had tried before, with an unknown outcome."""
    return not isinstance(error, ClientError) or error.response.get("ResponseMetadata", {}).get("RetryAttempts") != 0


def is_missing_table(error: BaseException) -> bool:
    return code_of(error) == "ResourceNotFoundException"


def refuses_addition(operation: str, error: BaseException) -> bool:
    """Whether the error may be owed to what daxlite added to a request.

    IAM can deny return values and attributes, a Stubber compares a request with the expected one, the projection of a
    batch may grow beyond what DynamoDB allows, and an index of a table that is not described may be a global one, which
    has no strongly consistent reads.
    """
    if operation in ("BatchGetItem", "Query", "Scan") and code_of(error) == "ValidationException":
        return True
    if code_of(error) == "AccessDeniedException":
        return not was_retried(error)
    return isinstance(error, StubAssertionError)
