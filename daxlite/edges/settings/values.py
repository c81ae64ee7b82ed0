"""What text means as a setting, and what stands in the fields of models. What means nothing stays as it is, for the
class that holds the setting to refuse."""

import re
from base64 import b64decode
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Final

from ...core.checks import switch_in
from .fields import Kinds

_SIZE: Final = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,9})?) ?(b|[kmgt]i?b)", re.ASCII)
_POWERS: Final = {letter: power for power, letter in enumerate("bkmgt")}
KEY_BYTES: Final = 32


def from_code(value: object, kinds: Kinds) -> object:
    """A setting from a mapping or a TOML file: typed, but for "none" and sizes with a unit.

    >>> [from_code(value, frozenset({int, type(None)})) for value in (5, "none", "1.5 KiB", "5")]
    [5, None, 1536, '5']
    """
    value = _plain(value)
    if bytes in kinds:
        return _keys(value)
    if not isinstance(value, str) or str in kinds:
        return value
    if NoneType in kinds and is_none(value):
        return None
    size = _SIZE.fullmatch(value.strip().lower()) if int in kinds else None
    return value if size is None else _bytes(size, value)


def is_none(value: object) -> bool:
    """Whether this is None, or the word for it."""
    return value is None or (isinstance(value, str) and value.strip().lower() == "none")


def from_text(text: str, kinds: Kinds) -> object:
    """A setting from the environment.

    >>> from_text("300", frozenset({float})), from_text("off", frozenset({bool})), from_text("12", frozenset({str}))
    (300.0, False, '12')
    """
    if bytes in kinds:
        return [each.strip() for each in text.split(",")]
    value = from_code(text, kinds)
    if value is not text:
        return value
    if bool in kinds and (switch := switch_in(text)) is not None:
        return switch
    for kind in (int, float):
        if kind in kinds:
            with suppress(ValueError):
                return kind(text)
    return text


def server_of(value: object) -> object:
    """The server of a tier: what is written as a URL is one, also where a model keeps it as an object."""
    value = _plain(value)
    text = str(value)
    return text if re.match("(redis|rediss|unix)://", text) else value


def _plain(value: Any) -> object:
    """What stands in the field of a model, such as one of pydantic's."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return value.total_seconds()
    reveal = getattr(type(value), "get_secret_value", None)
    return value if reveal is None else reveal(value)


def _bytes(size: re.Match[str], text: str) -> object:
    number, unit = size.groups()
    found = Decimal(number) * (1024 if "i" in unit else 1000) ** _POWERS[unit[0]]
    return int(found) if found % 1 == 0 else text


def _keys(value: object) -> object:
    """Encryption keys, as bytes. Raises ValueError for text that is none, and does not repeat it."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        return value
    return [_key(number, _plain(each)) for number, each in enumerate(value)]


def _key(number: int, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        key = bytes.fromhex(value) if len(value) == 64 else b64decode(value, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"encryption_keys[{number}] must be 32 bytes, as 64 hexadecimal digits or in base64")
    return key
