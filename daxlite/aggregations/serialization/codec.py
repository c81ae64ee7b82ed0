"""How results are stored. A decoded result equals the encoded one, and has the same types at every level.

    typed            by the return annotation of the function; the only form for dataclasses, Structs, NamedTuples and
                     Enums. It is used only if decoding, which is tried at once, restores exactly the same value.
    self-describing  for all other results, see `self_describing`

The first byte tells the two forms apart; the next eight are the fingerprint of the annotation.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ...shared.errors import CorruptValue, Unstorable
from ..errors import Unsupported
from . import self_describing
from .exactness import difference
from .fingerprint import SIZE, fingerprint
from .row import pack

_HEADER: Final = 1 + SIZE
_NOT_ANNOTATED: Final = bytes(SIZE)


class Codec:
    """Encodes and decodes the results of one function.

    `returns` is the function's return annotation, as a type, not as a string. Without one, with `Any`, and with one
    that msgspec does not support, results are stored in the self-describing form only.

    >>> from typing import NamedTuple
    >>> class Total(NamedTuple):
    ...     orders: int
    ...     euros: float
    >>> codec = Codec(Total)
    >>> codec.decode(codec.encode(Total(3, 9.5)))
    Total(orders=3, euros=9.5)
    """

    __slots__ = ("_advice", "_decode_typed", "_plain", "_typed")

    def __init__(self, returns: Any = msgspec.UNSET) -> None:
        self._decode_typed: Callable[[bytes], Any] | None = None
        self._advice = (
            "annotate the function's return type, if it is a dataclass, a msgspec.Struct, a NamedTuple or an Enum,"
            " or convert the value"
        )
        stamp = _NOT_ANNOTATED
        if returns is not msgspec.UNSET and returns is not Any:
            try:
                stamp = fingerprint(returns)
                self._decode_typed = msgspec.msgpack.Decoder(returns, ext_hook=_refuse_extension).decode
            except Exception as error:  # noqa: BLE001 - annotations are code of the application, and may raise anything
                stamp = _NOT_ANNOTATED
                self._advice = f"the function's return annotation cannot be used ({str(error).strip()})"
        self._plain = b"\x00" + stamp
        self._typed = b"\x01" + stamp

    def encode(self, value: Any) -> bytes:
        """The result in bytes. Raises Unstorable for a result that `decode` could not restore exactly.

        >>> Codec().encode(open)
        Traceback (most recent call last):
        ...
        daxlite.shared.errors.Unstorable: a result with a value of type builtin_function_or_method cannot ...
        """
        lost = None
        if self._decode_typed is not None:
            try:
                data = pack(value)
                lost = difference(value, self._decode_typed(data))
            except Exception as error:  # noqa: BLE001 - decoding runs `__post_init__` of the application
                lost = type(error).__name__
            else:
                if lost is None:
                    return self._typed + data
        try:
            return self._plain + self_describing.encode(value)
        except Unsupported as error:
            message = f"a result with {error} cannot be stored"
            if lost is None:
                raise Unstorable(f"{message}; {error.advice or self._advice}") from None
            raise Unstorable(
                f"{message}, and by the function's return annotation it would come back changed ({lost});"
                f" {error.advice or 'annotate the type that is really returned, or convert the value'}"
            ) from None

    def decode(self, data: bytes) -> Any:
        """The result that was encoded. Raises CorruptValue for all other bytes, also those of another annotation.

        >>> Codec(int).decode(Codec(str).encode("a"))
        Traceback (most recent call last):
        ...
        daxlite.shared.errors.CorruptValue: stored under another annotation, or not by a Codec
        """
        try:
            header = data[:_HEADER]
            if header == self._plain:
                return self_describing.decode(data[_HEADER:])
            if header == self._typed and self._decode_typed is not None:
                return self._decode_typed(data[_HEADER:])
        except Exception as error:  # noqa: BLE001 - damaged bytes can cause any exception
            # Without the cause: its message might show stored data.
            raise CorruptValue(f"not an encoded result ({type(error).__name__})") from None
        raise CorruptValue("stored under another annotation, or not by a Codec")


def _refuse_extension(code: int, data: memoryview) -> Any:
    raise ValueError("an extension in the typed form, which has none")
