"""Self-describing bytes: MessagePack, with an extension for each type of the table that MessagePack does not support.

An extension code stands for a row of the table. Data cannot name a class or a module.

>>> decode(encode({(1, "a"): {2.5}}))
{(1, 'a'): {2.5}}
"""

from collections.abc import Callable
from typing import Any, Final, NoReturn

import msgspec

from ..errors import Unsupported, type_name
from .row import Walk
from .types import ADVICE, TABLE
from .walk import encoder


def _unsupported(value: Any, walk: Walk, depth: int) -> NoReturn:
    kind = type(value)
    raise Unsupported(f"a value of type {type_name(kind)}", ADVICE.get(kind))


encode: Final = encoder(
    {row.type: row.encode for row in TABLE}, {row.type for row in TABLE if row.is_native}, _unsupported
)
"""From a value to bytes. Raises Unsupported for a value that `decode` could not restore exactly."""


def _from_extension(code: int, data: memoryview) -> Any:
    unpack, load = _EXTENSIONS[code]
    return load(unpack(data))


decode: Final = msgspec.msgpack.Decoder(ext_hook=_from_extension).decode
"""From the bytes to the value. Raises any Exception for bytes that `encode` did not make."""


def _unpacker(payload: Any) -> Callable[[memoryview], Any]:
    return bytes if payload is bytes else msgspec.msgpack.Decoder(payload, ext_hook=_from_extension).decode


_EXTENSIONS: Final[dict[int, tuple[Callable[[memoryview], Any], Callable[[Any], Any]]]] = {
    row.code: (_unpacker(row.payload), row.decode) for row in TABLE if row.code is not None and row.decode is not None
}
