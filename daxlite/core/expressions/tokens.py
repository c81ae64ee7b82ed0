"""The lexer of DynamoDB's expression language, and the document paths that all of its expressions share.

Projections, conditions and updates are written in one vocabulary. What DynamoDB would refuse is refused here as well
(as NotCacheable), because a request that deserves a ValidationException must reach DynamoDB to get it.
"""

import re
from typing import Final, NamedTuple, TypeAlias

from ..not_cacheable import NotCacheable
from .placeholders import Names
from .reserved import RESERVED_WORDS

# Kinds of tokens.
NAME: Final = "name"  # a bare identifier: an attribute name, a keyword or a function
ALIAS: Final = "alias"  # `#x`, from ExpressionAttributeNames
VALUE: Final = "value"  # `:x`, from ExpressionAttributeValues
NUMBER: Final = "number"  # the digits of a list index
SYMBOL: Final = "symbol"

MAX_EXPRESSION_BYTES: Final = 4096
MAX_PLACEHOLDER_BYTES: Final = 255
# DynamoDB documents 32 levels. Whether it accepts the last one is left to DynamoDB.
MAX_PATH_PARTS: Final = 31
# An item is at most 400 KB, so there is no element at a longer index. Whether it is an error is left to DynamoDB.
MAX_INDEX_DIGITS: Final = 6

# A word that runs into a placeholder (`AND#a`) is refused: whether DynamoDB separates the two is not documented.
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


Path: TypeAlias = tuple[str | int, ...]
"""A document path: names of attributes and map entries (str), indexes of lists (int)."""


def tokenize(expression: str) -> list[Token]:
    """The tokens of an expression.

    >>> [token.text for token in tokenize("#a.b[0]<= :v")]
    ['#a', '.', 'b', '[', '0', ']', '<=', ':v']
    >>> tokenize("a = 'text'")
    Traceback (most recent call last):
    ...
    daxlite.core.not_cacheable.NotCacheable: not in the expression language: "'text'"
    """
    # The language is ASCII, so for every text that passes the lexer, characters are bytes.
    if len(expression) > MAX_EXPRESSION_BYTES:
        raise NotCacheable("the expression is longer than DynamoDB accepts")
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
    return tokens


class Cursor:
    """A position in the tokens of an expression, for the recursive descent parsers. It resolves aliases."""

    __slots__ = ("_names", "_position", "_tokens")

    _END: Final = Token("end", "")

    def __init__(self, expression: str, names: Names) -> None:
        self._tokens = tokenize(expression)
        self._names = names
        self._position = 0

    def peek(self, ahead: int = 0) -> Token:
        """The token so many places after the current one, or an "end" token."""
        position = self._position + ahead
        return self._tokens[position] if position < len(self._tokens) else self._END

    def take(self) -> Token:
        """The current token; moves on."""
        token = self.peek()
        self._position += 1
        return token

    def at(self, symbol: str) -> bool:
        """Whether the current token is this symbol."""
        token = self.peek()
        return token.kind == SYMBOL and token.text == symbol

    def accept(self, symbol: str) -> bool:
        """Move past the symbol if it is the current token; returns whether it was."""
        if self.at(symbol):
            self._position += 1
            return True
        return False

    def expect(self, symbol: str) -> None:
        """Move past the symbol. Raises NotCacheable if it is not the current token."""
        if not self.accept(symbol):
            raise NotCacheable(f"expected {symbol!r}, found {self.peek().text!r}")

    def keyword(self) -> str | None:
        """The current token in upper case if it is a bare word: keywords may be written in any case."""
        token = self.peek()
        return token.text.upper() if token.kind == NAME else None

    def done(self) -> bool:
        """Whether every token has been taken."""
        return self._position >= len(self._tokens)

    def path(self) -> Path:
        """Take a document path.

        >>> Cursor("a.#b[2]", Names((("#b", "x.y"),))).path()
        ('a', 'x.y', 2)
        """
        parts: list[str | int] = [self.attribute()]
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

    def attribute(self) -> str:
        """Take one attribute name: a bare word that is not reserved, or an alias, which is resolved."""
        token = self.take()
        if token.kind == ALIAS:
            return self._names.resolve(token.text)
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
