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
encode: Final = msgspec.msgpack.Encoder(enc_hook=_plain).encode
