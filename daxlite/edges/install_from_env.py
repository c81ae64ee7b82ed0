"""`install` for a program that `daxlite run` started, by what the environment says."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from ..core.checks import SWITCH_RULE, shown, switch_in
from .cache import Cache
from .installing import check_sharing, checked_tables, install, installation

_logger: Final = logging.getLogger("daxlite")

TABLES: Final = "DAXLITE_INSTALL_TABLES"
"""The tables that are answered from the cache, by name or pattern, with commas between them; all unless set."""
PRINCIPAL: Final = "DAXLITE_INSTALL_PRINCIPAL"
"""For whom the calls are made."""
SHARE: Final = "DAXLITE_INSTALL_SHARE"
"""Whether all clients of an account share their answers."""


def install_from_env(environ: Mapping[str, str]) -> None:
    """Install daxlite, unless the program has done so. It raises nothing: without a cache the program is slower, and
    right. What is wrong with the environment is logged."""
    try:
        if installation() is None:
            names = [name.strip() for name in environ.get(TABLES, "").split(",") if name.strip()]
            principal, share = environ.get(PRINCIPAL) or None, _is_set(environ, SHARE)
            variables(names, principal, share=share)  # checked before a cache begins, which may have threads
            install(Cache.from_env(environ), names or None, principal=principal, share=share)
    except Exception as error:  # noqa: BLE001 - settings, a server that is not there, a package that is missing
        message = "daxlite is not installed, so the program runs without a cache: %s: %s"
        _logger.error(message, type(error).__name__, " ".join([str(error), *getattr(error, "__notes__", ())]))


def variables(tables: Sequence[str] | None, principal: str | None, *, share: bool) -> dict[str, str]:
    """The variables that say this. Raises TypeError or ValueError for what `install` does not allow.

    >>> variables(["Orders", "Invoices"], None, share=True)
    {'DAXLITE_INSTALL_TABLES': 'Invoices,Orders', 'DAXLITE_INSTALL_SHARE': '1'}
    """
    check_sharing(principal, share)
    names = checked_tables(tables or None)
    said = {TABLES: ",".join(sorted(names or ())), PRINCIPAL: principal or "", SHARE: "1" if share else ""}
    return {name: text for name, text in said.items() if text}


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "")
    meaning = switch_in(text)
    if meaning is None:
        raise ValueError(f"{name} is {shown(text)}; it must be {SWITCH_RULE}")
    return meaning
