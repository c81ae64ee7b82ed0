"""What keeps a process from ever hearing, as far as that is known before it listens."""

import importlib
import re
from collections.abc import Iterable
from typing import Any, Final

_PROXIES: Final = re.compile(
    r"\.serverless\..*\.cache\.amazonaws\.com(\.cn)?$"  # ElastiCache Serverless
    r"|\.(redis\.azure|redisenterprise\.cache\.azure)\.net$"  # Azure Managed Redis
    r"|\.(cloud\.redislabs|redis-cloud|rlrcp|upstash)\.(com|io)$",
    re.IGNORECASE,
)
"""Host names behind which there are proxies."""


def is_of_proxies(host: str) -> bool:
    """Whether a host name is that of a service in which several servers stand behind one address.

    >>> is_of_proxies("shop-abc123.serverless.euw1.cache.amazonaws.com")
    True
    >>> is_of_proxies("shop.abc123.0001.euw1.cache.amazonaws.com")
    False
    """
    return bool(_PROXIES.search(host.rstrip(".")))


def foreseen(is_proxy: bool | None, hosts: Iterable[str]) -> str | None:
    """Why this process can never hear; None if nothing speaks against it.

    is_proxy: what the application says; None if it says nothing. hosts: the host names of the servers.
    """
    if _is_uwsgi_without_threads():
        return "uWSGI runs no threads without --enable-threads"
    if is_proxy:
        return "a proxy stands before the server, as the settings say (proxy=True)"
    if is_proxy is None and any(map(is_of_proxies, hosts)):
        return "several servers stand behind one address, as its name says"
    return None


def _is_uwsgi_without_threads() -> bool:
    """Whether this process is one of uWSGI in which no thread of Python runs but the one that takes requests."""
    try:
        uwsgi = importlib.import_module("uwsgi")  # it exists nowhere else
    except ImportError:
        return False
    options = {_text(name): _text(value).lower() for name, value in getattr(uwsgi, "opt", {}).items()}
    return options.get("enable-threads", "false") in ("false", "0", "no") and options.get("threads", "1") in ("0", "1")


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
