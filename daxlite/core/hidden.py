"""For what holds items, results or passwords: a traceback or a log that shows one of these shows no more."""


class Hidden:
    """Shows its class and nothing that it holds.

    >>> class Answer(Hidden):
    ...     item = {"name": "content"}
    >>> Answer()
    <Answer>
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
