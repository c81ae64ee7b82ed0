"""How a result is stored. What goes in comes out: equal, and of the same types all the way down.

    typed            by the function's return annotation, which is how dataclasses, Structs, NamedTuples and Enums are
                     stored. Used only if reading it back, which is tried at once, gives exactly the same.
    self-describing  everything else, see `self_describing`

Each is preceded by one byte that tells which it is, and by the fingerprint of the annotation.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ...shared.errors import CorruptValue, Unstorable
from . import self_describing
from .exactness import difference
from .fingerprint import SIZE, fingerprint

_HEADER: Final = 1 + SIZE
_NOT_ANNOTATED: Final = bytes(SIZE)

_pack: Final = msgspec.msgpack.Encoder().encode


class Codec:
    """Stores the results of one function.

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
            "annotate the function's return type, if this is a dataclass, a msgspec.Struct, a NamedTuple or an Enum,"
            " or convert it"
        )
        stamp = _NOT_ANNOTATED
        if returns is not msgspec.UNSET and returns is not Any:
            try:
                stamp = fingerprint(returns)
                self._decode_typed = msgspec.msgpack.Decoder(returns, ext_hook=_no_extension).decode
            except Exception as error:  # noqa: BLE001 - annotations are the application's own code, and can raise anything
                stamp = _NOT_ANNOTATED
                self._advice = f"the function's return annotation cannot be used ({str(error).strip()})"
        self._plain = b"\x00" + stamp
        self._typed = b"\x01" + stamp

    def encode(self, value: Any) -> bytes:
        """The result in bytes. Raises Unstorable for what `decode` could not give back exactly.

        >>> Codec().encode(open)
        Traceback (most recent call last):
        ...
        daxlite.shared.errors.Unstorable: a result with a value of type builtin_function_or_method cannot ...
        """
        if self._decode_typed is None:
            try:
                return self._plain + self_describing.encode(value)
            except Unstorable as error:
                raise Unstorable(f"{error}; {self._advice}") from None
        try:
            data = _pack(value)
            lost = difference(value, self._decode_typed(data))
        except Exception as error:  # noqa: BLE001 - reading it back runs the application's own `__post_init__`
            lost = type(error).__name__
        else:
            if lost is None:
                return self._typed + data
        try:
            return self._plain + self_describing.encode(value)
        except Unstorable as error:
            raise Unstorable(
                f"{error}, and by the function's return annotation it would come back changed ({lost});"
                " annotate what it really is, or convert it"
            ) from None

    def decode(self, data: bytes) -> Any:
        """The result that was encoded. Raises CorruptValue for all other bytes, also those of another annotation.

        >>> Codec(int).decode(Codec(str).encode("a"))
        Traceback (most recent call last):
        ...
        daxlite.shared.errors.CorruptValue: stored under another annotation, or by something else
        """
        try:
            header = data[:_HEADER]
            if header == self._plain:
                return self_describing.decode(data[_HEADER:])
            if header == self._typed and self._decode_typed is not None:
                return self._decode_typed(data[_HEADER:])
        except Exception as error:  # noqa: BLE001 - whatever it is that such bytes can cause
            # Without the cause: its message could show what is stored.
            raise CorruptValue(f"not an encoded result ({type(error).__name__})") from None
        raise CorruptValue("stored under another annotation, or by something else")


def _no_extension(code: int, data: memoryview) -> Any:
    raise ValueError("an extension in the typed form, which has none")
