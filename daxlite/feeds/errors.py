"""What a feed may raise.

FeedError
├── StreamMissingError   the table has no stream, or there is no such table
└── EndedError           the feed was told to end before it had begun
"""


class FeedError(Exception):
    """A feed cannot go on. The message says what was wrong, and what is needed."""


class StreamMissingError(FeedError):
    """A table that is followed has no stream of its changes, or is not there."""


class EndedError(FeedError):
    """The feed was told to end while it waited for a reply."""


def code_of(error: BaseException) -> str:
    """DynamoDB's code of an error, or the name of its class."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return str(code) if code else type(error).__name__
