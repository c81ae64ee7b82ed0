"""URLs of servers: what is wrong in one is said where it is given, and no message repeats a password."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

SCHEMES: Final = ("redis", "rediss", "unix")


def _text(value: str) -> bool:
    return bool(value)


def _whole(least: int) -> Any:
    return lambda value: value.isascii() and value.isdigit() and int(value) >= least


def _seconds(value: str) -> bool:
    try:
        return 0 < float(value) < 1e6
    except ValueError:
        return False


def _switch(value: str) -> bool:
    return value.lower() in ("true", "false", "yes", "no", "1", "0")


_OPTIONS: Final[dict[str, tuple[Any, str]]] = {
    "db": (_whole(0), "a whole number, at least 0"),
    "username": (_text, "text"),
    "password": (_text, "text"),
    "max_connections": (_whole(1), "a whole number, at least 1"),
    "socket_timeout": (_seconds, "a number of seconds above 0"),
    "socket_connect_timeout": (_seconds, "a number of seconds above 0"),
    "socket_keepalive": (_switch, "true or false"),
    "health_check_interval": (_whole(0), "a whole number of seconds"),
    "client_name": (_text, "text"),
    "protocol": (lambda value: value in ("2", "3"), "2 or 3"),
}
_TLS_OPTIONS: Final[dict[str, tuple[Any, str]]] = {
    "ssl_cert_reqs": (lambda value: value in ("none", "optional", "required"), "none, optional or required"),
    "ssl_check_hostname": (_switch, "true or false"),
    **dict.fromkeys(
        ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_keyfile_password"), (_text, "a path")
    ),
}
_NAME: Final = re.compile(r"[a-z_]{1,40}", re.ASCII)
_NOT_OF_A_SOCKET: Final = ("socket_keepalive",)


def check_url(url: str) -> None:
    """Raise ValueError for a URL that names no server, or has an option that is not allowed. No name is looked up.

    >>> check_url("redis://localhost:6379/0?max_connections=10")
    >>> check_url("redis://localhost/0?max_connections=none")
    Traceback (most recent call last):
    ...
    ValueError: the option max_connections of the server's URL must be a whole number, at least 1
    """
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme not in SCHEMES:
        raise ValueError("the server's URL must begin with redis://, rediss:// (TLS) or unix:// (a socket)")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the server's URL must have a host and a port from 1 to 65535") from None
    if port == 0:
        raise ValueError("the server's URL must have a host and a port from 1 to 65535")
    if scheme == "unix":
        if not parts.path:
            raise ValueError("a unix:// URL must have the path of a socket, such as unix:///run/valkey.sock")
    elif (database := parts.path.strip("/")) and not _whole(0)(database):
        raise ValueError("the path of the server's URL must be the number of a database, such as /0")
    allowed = _OPTIONS | (_TLS_OPTIONS if scheme == "rediss" else {})
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in allowed or (scheme == "unix" and name in _NOT_OF_A_SOCKET):
            # A password with a question mark in it ends up here, too.
            named = f"the option {name}" if _NAME.fullmatch(name) and value else "an option"
            known = ", ".join(allowed)
            raise ValueError(
                f"the server's URL has {named}, which is not allowed; after {scheme}:// there may be {known}"
            )
        is_right, meaning = allowed[name]
        if not is_right(value):
            raise ValueError(f"the option {name} of the server's URL must be {meaning}")
