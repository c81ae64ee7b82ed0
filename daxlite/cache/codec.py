"""How answers are stored: MessagePack, which is compact, exact in its size, safe to read, and fresh at each decoding.

Decoding gives the caller objects of its own (promise P8), so no copy is ever made.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..core.encoding import encode

__all__ = ["decode", "encode"]

decode: Final[Callable[[bytes], Any]] = msgspec.msgpack.Decoder().decode
"""The answer that was encoded, in objects that nobody else has."""
