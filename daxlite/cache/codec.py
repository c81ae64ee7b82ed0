"""How answers are stored: MessagePack, which is compact, exact in its size, safe to read, and fresh at each decoding.

Decoding gives the caller objects of its own (promise P8), so no copy is ever made.
"""

from ..core.encoding import decode, encode

__all__ = ["decode", "encode"]
