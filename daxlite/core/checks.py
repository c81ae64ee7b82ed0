"""Checks of settings and arguments, and what a wrong one is in words that repeat no item and no secret."""

import inspect
import math
import sys
from typing import Final

MOST_BYTES: Final = (1 << 63) - 1
"""A whole number of bytes is at most this: `sys.maxsize`, which programs give for "no limit"."""
_LARGEST_INT: Final = 10**50
_LONGEST_TEXT: Final = 100
_SWITCHES: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off", ""), False),
}
SWITCH_RULE: Final = "1, true, yes or on, or 0, false, no, off or empty"
"""What a switch may be in the environment, for messages."""


def shown(value: object) -> str:
    """What a wrong argument is, for a message: a number, a short text, True, False or None as it is written. Of
    anything else the type alone is shown, for it may hold an item or a password.

    >>> shown(-1), shown("Orders*"), shown(None), shown({"pk": "o#1"}), shown("redis://:password@localhost")
    ('-1', "'Orders*'", 'None', 'a dict', 'a URL')
    >>> shown(10**5000), shown(int), shown("x" * 1000)
    ('an int of 5001 digits or so', 'the class int', 'a str of 1000 characters')
    """
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    if type(value) is int and abs(value) >= _LARGEST_INT:  # Python refuses to write very long ones
        return f"an int of {math.ceil(value.bit_length() * math.log10(2))} digits or so"
    if type(value) is str and ("://" in value or len(value) > _LONGEST_TEXT):
        return "a URL" if "://" in value else f"a str of {len(value)} characters"
    return repr(value) if value is None or type(value) in (bool, int, float, str) else kind_of(value)


def kind_of(value: object) -> str:
    """The type of a wrong argument, for a message.

    >>> kind_of(1), kind_of([])
    ('an int', 'a list')
    """
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def switch_in(text: str) -> bool | None:
    """What the text of a variable says that switches something on or off; None if it says neither.

    >>> [switch_in(text) for text in ("1", "True", " off", "", "maybe")]
    [True, True, False, False, None]
    """
    return _SWITCHES.get(text.strip().lower())


def is_number(value: object) -> bool:
    """Whether this is a number to calculate with: no bool, no nan, and no int that is too large for a float.

    >>> [is_number(value) for value in (0, 1.5, math.inf, math.nan, True, "1", 10**400)]
    [True, True, True, False, False, False, False]
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max or abs(value) == math.inf


def is_whole(value: object, least: int, most: int = MOST_BYTES) -> bool:
    """Whether this is a whole number in a range. True and False are none.

    >>> [is_whole(value, 1) for value in (1, 0, True, 1.0, 2**70)]
    [True, False, False, False, False]
    """
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_name(value: object) -> bool:
    """Whether this can be a name: a text that is not empty, and is Unicode.

    >>> [is_name(value) for value in ("orders", "", None, b"orders", chr(0xD800))]
    [True, False, False, False, False]
    """
    return is_text(value) and value != ""


def is_text(value: object) -> bool:
    """Whether this is a text, which may be empty, and is Unicode.

    >>> [is_text(value) for value in ("2", "", None, chr(0xD800))]
    [True, True, False, False]
    """
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def check_function(name: str, value: object, what: str) -> None:
    """Raises TypeError for what is no function, or one of asyncio's. what: what the function is to do."""
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} is {shown(value)}; it must be a function {what}")
    if inspect.iscoroutinefunction(value):
        raise TypeError(f"{name} is a coroutine function; it must be a plain function {what}")


def check_decorated(name: str, function: object, *, is_generator_allowed: bool = False) -> None:
    """Raises TypeError for what cannot run within a block that decorates it. name: of the block.

    >>> check_decorated("bypass", int)
    Traceback (most recent call last):
    ...
    TypeError: bypass() decorates functions, and this is the class int; write `with bypass():` inside
    """
    if inspect.isasyncgenfunction(function):
        what = "an asynchronous generator"
    elif inspect.isgeneratorfunction(function) and not is_generator_allowed:
        what = "a generator"
    elif inspect.isclass(function) or not callable(function):
        what = shown(function)
    else:
        return
    raise TypeError(f"{name}() decorates functions, and this is {what}; write `with {name}():` inside")
