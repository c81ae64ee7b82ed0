"""MessagePack, for keys and for answers: compact, exact in its size, and injective: no two values have one encoding."""

from collections.abc import Callable
from typing import Any, Final

import msgspec


def _plain(value: Any) -> str:
    """A string for what is one by inheritance, such as a member of a `StrEnum`: botocore takes it for a string too."""
    if isinstance(value, str):
        return str.__str__(value)
    raise NotImplementedError


decode: Final[Callable[[bytes], Any]] = msgspec.msgpack.Decoder().decode
encode: Final = msgspec.msgpack.Encoder(enc_hook=_plain).encode
