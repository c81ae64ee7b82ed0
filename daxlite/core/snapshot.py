"""Parameters as they were at the moment of the call."""

from typing import Any, Final

_MUTABLE: Final = (dict, list, tuple, set, bytearray)
_IMMUTABLE: Final = frozenset((str, bytes, bool))


def snapshot(value: Any) -> Any:
    """A copy of parameters that the caller cannot change any more: it may reuse its dicts in another thread or task.

    What is cached, and what is sent, must both follow from the same parameters, and a plan may wait for a description
    of the table between the two. Numbers, texts and objects of classes of boto3's and of the application's are taken as
    they are.

    >>> key = {"pk": {"S": "a"}}
    >>> taken = snapshot({"Key": key})
    >>> key["pk"]["S"] = "b"
    >>> taken
    {'Key': {'pk': {'S': 'a'}}}
    """
    if isinstance(value, dict):
        taken = {}
        for name, part in value.items():
            # Nearly all parts are typed values such as {"S": "a"}, or texts, and need no further call of Python's.
            if type(part) is dict and len(part) == 1:
                (content,) = part.values()
                if type(content) in _IMMUTABLE:
                    taken[name] = part.copy()
                    continue
            taken[name] = snapshot(part) if isinstance(part, _MUTABLE) else part
        return taken
    if isinstance(value, list):
        return [snapshot(part) if isinstance(part, _MUTABLE) else part for part in value]
    if isinstance(value, set | bytearray):
        return value.copy()
    if type(value) is tuple:
        return tuple([snapshot(part) if isinstance(part, _MUTABLE) else part for part in value])
    return value
