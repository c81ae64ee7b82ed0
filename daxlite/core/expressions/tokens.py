"""The lexer of DynamoDB's expression language, and the document paths that all of its expressions share.

Projections, conditions and updates are written in one vocabulary. What DynamoDB would refuse is refused here as well
(as `NotCacheable`), because a request that deserves a ValidationException must reach DynamoDB to get it.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from ..not_cacheable import NotCacheable
from .reserved import RESERVED_WORDS

# Kinds of tokens.
NAME: Final = "name"  # a bare identifier: an attribute name, a keyword or a function
ALIAS: Final = "alias"  # `#x`, from ExpressionAttributeNames
VALUE: Final = "value"  # `:x`, from ExpressionAttributeValues
NUMBER: Final = "number"  # the digits of a list index
SYMBOL: Final = "symbol"

MAX_EXPRESSION_BYTES: Final = 4096
MAX_PLACEHOLDER_BYTES: Final = 255
# DynamoDB documents 32 levels; nobody depends on the last one, so the boundary itself is left to DynamoDB.
MAX_PATH_PARTS: Final = 31
# An item is at most 400 KB, so a longer index can resolve to nothing; whether it is an error is DynamoDB's to say.
MAX_INDEX_DIGITS: Final = 6

# A word that runs into a placeholder (`AND#a`) is none: whether DynamoDB parts the two is not documented.
_TOKEN: Final = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<name>[A-Za-z][A-Za-z0-9_]*+(?![\#:]))
      | (?P<alias>\#[A-Za-z0-9_]+)
      | (?P<value>:[A-Za-z0-9_]+)
      | (?P<number>[0-9]+)
      | (?P<symbol><>|<=|>=|[.\[\],()=<>+-])
    )""",
    re.VERBOSE,
)
_WHITE_SPACE: Final = " \t\r\n"


class Token(NamedTuple):
    """One word of an expression. `text` keeps the `#` or `:` of a placeholder, and the case as written."""

    kind: str
    text: str


PathPart = str | int | Token
"""A part of a path as written: a literal attribute name, a list index, or an ALIAS that still has to be resolved."""

RawPath = tuple[PathPart, ...]


def tokenize(expression: str) -> tuple[Token, ...]:
    """The tokens of `expression`.

    >>> [token.text for token in tokenize("#a.b[0]<= :v")]
    ['#a', '.', 'b', '[', '0', ']', '<=', ':v']
    >>> tokenize("a = 'text'")
    Traceback (most recent call last):
    ...
    daxlite.core.not_cacheable.NotCacheable: not in the expression language: "'text'"
    """
    if not isinstance(expression, str):
        raise NotCacheable("the expression is not a string")
    # The language is ASCII, so characters are bytes for whatever passes the lexer.
    if len(expression) > MAX_EXPRESSION_BYTES:
        raise NotCacheable("the expression is longer than DynamoDB accepts")
    return _tokenize(expression)


@lru_cache(maxsize=2048)
def _tokenize(expression: str) -> tuple[Token, ...]:
    tokens: list[Token] = []
    position, end = 0, len(expression.rstrip(_WHITE_SPACE))
    while position < end:
        match = _TOKEN.match(expression, position)
        if match is None or match.lastgroup is None:
            raise NotCacheable(f"not in the expression language: {expression[position:].strip()[:20]!r}")
        kind, text = match.lastgroup, match[match.lastgroup]
        if kind in (ALIAS, VALUE) and len(text) > MAX_PLACEHOLDER_BYTES:
            raise NotCacheable("a placeholder is longer than DynamoDB accepts")
        tokens.append(Token(kind, text))
        position = match.end()
    if not tokens:
        raise NotCacheable("the expression is empty")
    return tuple(tokens)


class Cursor:
    """A place in a stream of tokens, for the recursive descent parsers.

    It collects the aliases it passes: they are what a parsed expression still needs to mean something.
    """

    __slots__ = ("_position", "_tokens", "aliases")

    _END: Final = Token("end", "")

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._position = 0
        self.aliases: dict[str, None] = {}

    def peek(self, ahead: int = 0) -> Token:
        """The token `ahead` of the current one, or an "end" token."""
        position = self._position + ahead
        return self._tokens[position] if position < len(self._tokens) else self._END

    def take(self) -> Token:
        """The current token; moves on."""
        token = self.peek()
        self._position += 1
        if token.kind == ALIAS:
            self.aliases[token.text] = None
        return token

    def at(self, symbol: str) -> bool:
        """Is the current token this symbol?"""
        token = self.peek()
        return token.kind == SYMBOL and token.text == symbol

    def accept(self, symbol: str) -> bool:
        """Moves past `symbol` if it is next."""
        if self.at(symbol):
            self._position += 1
            return True
        return False

    def expect(self, symbol: str) -> None:
        """Moves past `symbol`, which has to be next."""
        if not self.accept(symbol):
            raise NotCacheable(f"expected {symbol!r}, found {self.peek().text!r}")

    def keyword(self) -> str | None:
        """The current token in upper case if it is a bare word: keywords may be written in any case."""
        token = self.peek()
        return token.text.upper() if token.kind == NAME else None

    def done(self) -> bool:
        """Has every token been taken?"""
        return self._position >= len(self._tokens)

    def path(self) -> RawPath:
        """Reads a document path.

        >>> Cursor(tokenize("a.#b[2]")).path()
        ('a', Token(kind='alias', text='#b'), 2)
        """
        parts: list[PathPart] = [self.attribute()]
        while True:
            if self.accept("."):
                parts.append(self.attribute())
            elif self.accept("["):
                parts.append(self._index())
                self.expect("]")
            else:
                break
        if len(parts) > MAX_PATH_PARTS:
            raise NotCacheable("a document path is too deep")
        return tuple(parts)

    def attribute(self) -> str | Token:
        """Reads one attribute name: a bare word that is not reserved, or an alias."""
        token = self.take()
        if token.kind == ALIAS:
            return token
        if token.kind != NAME:
            raise NotCacheable(f"expected an attribute name, found {token.text!r}")
        if token.text.upper() in RESERVED_WORDS:
            raise NotCacheable(f"reserved word: {token.text}")
        return token.text

    def _index(self) -> int:
        token = self.take()
        digits = token.text
        if token.kind != NUMBER or len(digits) > MAX_INDEX_DIGITS or (digits[0] == "0" and digits != "0"):
            raise NotCacheable(f"list index: {digits!r}")
        return int(digits)
