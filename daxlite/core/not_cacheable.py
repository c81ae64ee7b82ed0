"""What every parser of a request raises when it would rather not guess."""


class NotCacheable(Exception):  # noqa: N818 - an answer ("not ours to cache"), not an error
    """daxlite does not understand this request well enough to answer it from a cache.

    The request then goes to DynamoDB as it is, and DynamoDB gives the answer or the error. Raising it is always safe;
    the reason is for whoever wonders why a call was not cached.

    >>> str(NotCacheable("the expression is empty"))
    'the expression is empty'
    """
