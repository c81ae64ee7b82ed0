"""The exception for requests that daxlite does not understand well enough."""


class NotCacheable(Exception):  # noqa: N818 - a decision, not an error
    """daxlite does not understand this request well enough to answer it from a cache.

    The request then goes to DynamoDB as it is, and DynamoDB returns the answer or the error. To raise it is always
    safe. The text says why the call was not cached.

    >>> str(NotCacheable("the expression is empty"))
    'the expression is empty'
    """
