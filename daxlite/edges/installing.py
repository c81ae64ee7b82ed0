"""`install`: the DynamoDB clients of this process answer from a cache, in whichever library they are made."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ..after_import import after_import
from ..core.checks import check_function, is_name, shown
from ..core.patterns import PATTERN_RULE, Names, is_name_or_pattern
from .cache import Cache
from .installation import Arguments, Installation, locked

_logger: Final = logging.getLogger("daxlite")

_current: Installation | None = None


def install(
    cache: Cache | None = None,
    tables: Iterable[str] | None = None,
    *,
    principal: str | Callable[[Any], str | None] | None = None,
    share: bool = False,
) -> Installation:
    """Let every DynamoDB client of this process answer from one cache: those that exist already, and those that any
    library makes from here on. It says what it did by what it returns, and in one line of the log.

    cache: the cache to use; unless given, that of the installation if there is one, else a new one.
    tables: the tables that are answered from the cache, by name or by a pattern such as "Orders-*"; all of them unless
    given. What is written to other tables is dropped from other caches all the same.
    principal: for whom the calls are made, as in `wrap`: a name, or a function that tells it for a client. Unless
    given, or where the function returns None, clients share answers if they have the same access key and secret, or
    the same credentials that are refreshed.
    share: whether all clients of an account share their answers, whatever their credentials may read.

    Called again with the same arguments it does nothing, and returns the same. Raises RuntimeError if daxlite is
    installed with other ones; TypeError or ValueError for what is not allowed.

    >>> import daxlite
    >>> installation = daxlite.install(tables=["Orders"])
    >>> installation
    <daxlite installed: botocore.client.BaseClient...; tables Orders; answers shared by clients of the same...
    >>> daxlite.uninstall()
    """
    global _current
    _check_cache(cache)
    check_sharing(principal, share)
    arguments = Arguments(checked_tables(tables), principal, share)
    with locked():
        found = _current
        if found is None:
            made = _current = Installation(Cache() if cache is None else cache, arguments)
            made._put_in_place()
        elif arguments != found._arguments or (cache is not None and cache is not found.cache):
            raise RuntimeError(f"daxlite is installed with other arguments: {found!r}; call uninstall() first")
        else:
            return found
    # Not under the lock: another thread may be importing it, and this waits for that.
    after_import("aiobotocore.client", _cover_aiobotocore)
    _logger.info("%s", repr(made))  # as it is now, whenever the record is written
    return made


def uninstall() -> None:
    """Undo `install`: clients are as they were. A call that is under way ends as it began. The cache stays usable.

    Without an installation it does nothing.
    """
    global _current
    with locked():
        installation, _current = _current, None
        if installation is not None:
            installation._take_out()
            _logger.info("%s", repr(installation))


def installation() -> Installation | None:
    """What is installed now, or None."""
    return _current


def _cover_aiobotocore(module: Any) -> None:
    with locked():
        if _current is not None:
            _current._cover_aiobotocore(module)


def _check_cache(cache: object) -> None:
    if cache is not None and not isinstance(cache, Cache):
        raise TypeError(f"cache is {shown(cache)}; it must be a daxlite.Cache or None")


def checked_tables(tables: object) -> frozenset[str] | None:
    """The names of tables, or None for all of them. Raises TypeError or ValueError for what is not allowed."""
    if tables is None:
        return None
    if isinstance(tables, str | bytes | Mapping) or not isinstance(tables, Iterable):
        raise TypeError(f"tables is {shown(tables)}; it must be a list of tables' names, or None for all tables")
    names = Names(tables)
    for name in names:
        if not is_name(name):
            raise TypeError(f"tables has {shown(name)}; it must be a list of tables' names, or None for all tables")
        if name.startswith("arn:"):
            raise ValueError(f"tables has {shown(name)}; give the table's name, which holds for its ARN too")
        if not is_name_or_pattern(name):
            raise ValueError(f"tables has {shown(name)}; a table's name has {PATTERN_RULE}")
    if not names:
        raise ValueError("tables is empty; give the name of one table or more, or None for all tables")
    return names


def check_sharing(principal: object, share: object) -> None:
    """Raises TypeError or ValueError for what does not say between which clients answers are shared."""
    if not isinstance(share, bool):
        raise TypeError(f"share is {shown(share)}; it must be True or False")
    if principal is None:
        return
    if share:
        raise TypeError("give either a principal or share=True")
    if callable(principal):
        check_function("principal", principal, "that takes a client and returns a name or None")
    elif not is_name(principal):
        wrong = ValueError if isinstance(principal, str) else TypeError
        raise wrong(f"principal is {shown(principal)}; it must be a name, or a function of a client that returns one")
