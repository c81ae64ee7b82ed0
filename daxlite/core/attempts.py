"""How the attempts of one call ended: what a client's edge sees of its retries, without the client's own types.

attempt 1: throttled (400)   attempt 2: connection reset   attempt 3: 200
(Answer(400, "ThrottlingException"), None, Answer(200))
"""

from typing import NamedTuple, TypeAlias


class Answer(NamedTuple):
    """What DynamoDB answered to one attempt, whole."""

    status: int
    """The HTTP status."""
    code: str | None = None
    """DynamoDB's name for the error."""


Attempts: TypeAlias = tuple[Answer | None, ...]
"""From the first attempt to the last; None for one whose outcome is unknown: an exception, or a reply that did not
arrive whole. Empty where the attempts were not seen."""
