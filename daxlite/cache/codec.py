"""How answers are stored: MessagePack, which is compact, exact in its size, safe to read, and fresh at each decoding.

Decoding gives the caller objects of its own (promise P8), so no copy is ever made.
"""

from typing import Any, Final

import msgspec

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder()

encode: Final = _encoder.encode


def decode(data: bytes) -> Any:
    """The answer that was encoded, in objects that nobody else has."""
    return _decoder.decode(data)
