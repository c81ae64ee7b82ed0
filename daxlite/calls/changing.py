"""A call that changes something, and of which nothing is to be stored."""

from collections.abc import Callable

from .outcomes import changed_nothing, is_missing_table, was_never_sent
from .steps import Call, Params, Steps


def send_changing(operation: str, params: Params, apply: Callable[[bool], None]) -> Steps:
    """Send a call, then apply what it changed.

    That is called with True after a success and with False where the outcome is not known. A batch is not one write but
    many: that DynamoDB refuses all of it for one of them is not for us to count on.
    """
    is_batch = operation.startswith("Batch")
    try:
        response = yield Call(operation, params)
    except BaseException as error:
        if is_missing_table(error) or not (was_never_sent(error) if is_batch else changed_nothing(error)):
            apply(False)
        raise
    apply(True)
    return response
