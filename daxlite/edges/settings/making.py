"""Makes what holds settings. A class checks its own; here a message gets the path of what is wrong."""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from ...core.checks import kind_of
from .fields import Label

T = TypeVar("T")


def made(make: Callable[..., T], values: Mapping[str, Any], path: str, label: Label) -> T:
    """What `make` makes of these settings. Raises its TypeError or ValueError, with the path of the setting with which
    the message begins; the value of a URL or of a key is in none of them.

    path: of what is made; empty for the whole.
    """
    try:
        return make(**values)
    except (TypeError, ValueError) as error:
        name, rest = re.match(r"(\w*)(.*)", str(error), re.DOTALL).groups()  # type: ignore[union-attr]  # always matches
        at = label(path)
        text = f"{label(join(path, name))}{rest}" if name in values else f"{at}: {error}" if at else str(error)
        raise (TypeError if isinstance(error, TypeError) else ValueError)(text) from None


def check_names(names: Iterable[object], allowed: Iterable[str], path: str, label: Label) -> None:
    """Raise TypeError or ValueError for what is not the name of a setting."""
    known = sorted(allowed)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"the mapping has {kind_of(name)} for the name of a setting; it must be a str")
        if name not in known:
            raise ValueError(f"{label(join(path, name))} is no setting{suggestion(name, known)}")


def suggestion(name: str, known: list[str]) -> str:
    """What may have been meant by a name, and what is allowed.

    >>> suggestion("item_tll", ["item_ttl", "jitter"])
    ' (did you mean item_ttl?); allowed are item_ttl, jitter'
    """
    close = get_close_matches(name, known, 1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    return f"{meant}; allowed are {', '.join(known)}"


def join(path: str, name: str) -> str:
    """The path of a setting in what has this path.

    >>> join("tables.Orders", "item_ttl"), join("", "jitter")
    ('tables.Orders.item_ttl', 'jitter')
    """
    return f"{path}.{name}" if path else name
