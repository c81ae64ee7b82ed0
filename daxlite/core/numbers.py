"""The canonical text of a DynamoDB number.

DynamoDB stores numbers, not their notation: `1`, `1.0`, `+1` and `10e-1` are one value, one key and one set element,
and DynamoDB returns all of them as `1`. (AWS: "Supported data types and naming rules", Number.)
"""

import re
from decimal import Context

from .not_cacheable import NotCacheable

_NOTATION = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?0*\d{1,4})?", re.ASCII)
_is_plain = re.compile(r"0|-?(?:[1-9][0-9]*(?:\.[0-9]*[1-9])?|0\.[0-9]*[1-9])").fullmatch
_DIGITS = 38  # significant digits that DynamoDB keeps; it refuses more
_LARGEST_EXPONENT = 125
_SMALLEST_EXPONENT = -130
# Precise enough that a text is never rounded: rounding would give two different numbers one key. All of it is given,
# because a program may set defaults of its own.
_EXACT = Context(prec=1000, Emin=-99999, Emax=99999, clamp=0, traps=[])


def canonical_number(text: str) -> str:
    """The text in which DynamoDB returns the number: no exponent, no sign but a minus, no redundant zeros.

    Raises NotCacheable for a text that DynamoDB would refuse as a number.

    >>> [canonical_number(text) for text in ("1", "1.50", "+.5", "12e2", "-0.0", "1E-3")]
    ['1', '1.5', '0.5', '1200', '0', '0.001']
    """
    if len(text) <= _DIGITS:  # nearly every number is in this form already, and most of them are digits alone
        if text.isdigit() and text.isascii() and text[0] != "0":
            return text
        if _is_plain(text):
            return text
    if len(text) > 500 or not _NOTATION.fullmatch(text):
        raise NotCacheable("number")
    number = _EXACT.create_decimal(text)
    if not number:
        return "0"
    number = number.normalize(_EXACT)
    digits = number.as_tuple().digits
    if len(digits) > _DIGITS or not _SMALLEST_EXPONENT <= number.adjusted() <= _LARGEST_EXPONENT:
        raise NotCacheable("number")
    return format(number, "f")


def sum_of(left: str, right: str) -> str:
    """The canonical text of a sum. Raises NotCacheable for one that DynamoDB cannot hold exactly.

    >>> sum_of("1.25", "-0.25")
    '1'
    """
    return canonical_number(str(_EXACT.add(_EXACT.create_decimal(left), _EXACT.create_decimal(right))))


def difference_of(left: str, right: str) -> str:
    """As `sum_of`, of the first number less the second one.

    >>> difference_of("1", "1e-2")
    '0.99'
    """
    return canonical_number(str(_EXACT.subtract(_EXACT.create_decimal(left), _EXACT.create_decimal(right))))
