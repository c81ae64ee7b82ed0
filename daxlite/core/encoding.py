"""MessagePack for keys and for answers. It is compact and injective: different values have different encodings."""

from collections.abc import Callable
from typing import Any, Final

import msgspec


def _plain(value: Any) -> str:
    """A plain str for an instance of a subclass, such as a member of a `StrEnum`: botocore sends it as text, too."""
    if isinstance(value, str):
        return str.__str__(value)
    raise NotImplementedError


decode: Final[Callable[[bytes], Any]] = msgspec.msgpack.Decoder().decode
# Its output has up to two thirds of its length more behind it, which nothing uses.
encode: Final = msgspec.msgpack.Encoder(enc_hook=_plain).encode


def encode_exactly(value: Any) -> bytes:
    """As `encode`, in no more memory than it needs: for what is kept."""
    return bytes(memoryview(encode(value)))


def room_of(encoded: bytes) -> int:
    """The bytes that the output of `encode` may take."""
    return len(encoded) * 5 // 3
