"""What all expressions have in common: tokens, placeholders, paths and operands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A table of the documentation, not something that daxlite does.
from daxlite.core.expressions.reserved import RESERVED_WORDS
from tests.simulator.documents import Path, check_apart
from tests.simulator.errors import RefusedError, invalid
from tests.simulator.values import Value, canonical

_TOKEN = re.compile(r"\s*(?:([#:]?[A-Za-z0-9_]+|<>|<=|>=|[=<>+\-()\[\],.])|$)")
_BARE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Attribute:
    path: Path


@dataclass(frozen=True)
class Literal:
    value: Value


@dataclass(frozen=True)
class Size:
    of: Attribute


Operand = Attribute | Literal | Size


class Placeholders:
    """ExpressionAttributeNames and ExpressionAttributeValues of a request, and which of them were used."""

    def __init__(self, request: Mapping[str, Any], *expressions: str) -> None:
        names, values = request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues")
        used = any(request.get(each) is not None for each in expressions)
        for kind, given in (("Names", names), ("Values", values)):
            if given is not None and not used:
                raise invalid(f"ExpressionAttribute{kind} can only be specified when using expressions")
            if given is not None and not given:
                raise invalid(f"ExpressionAttribute{kind} must not be empty")
        self._names: dict[str, str] = names or {}
        self._values = {name: canonical(value) for name, value in (values or {}).items()}
        for name in (*self._names, *self._values):
            if not re.fullmatch(r"[#:][A-Za-z0-9_]+", name):
                raise invalid(f'ExpressionAttribute placeholders contain invalid key: Syntax error; key: "{name}"')
        self._unused = {*self._names, *self._values}

    def name(self, token: str) -> str:
        if token not in self._names:
            raise invalid(f"An expression attribute name used in the document path is not defined: {token}")
        self._unused.discard(token)
        return self._names[token]

    def value(self, token: str) -> Value:
        if token not in self._values:
            raise invalid(f"An expression attribute value used in expression is not defined: {token}")
        self._unused.discard(token)
        return self._values[token]

    def check_all_used(self) -> None:
        if self._unused:
            raise invalid(f"Value provided in ExpressionAttribute placeholders unused in expressions: {self._unused}")


class Parser:
    """A recursive descent over the tokens of one expression."""

    def __init__(self, what: str, text: str, placeholders: Placeholders) -> None:
        self.what = what
        self.placeholders = placeholders
        if not text.strip():
            raise invalid(f"Invalid {what}: The expression can not be empty;")
        self._tokens: list[str] = []
        place = 0
        while match := _TOKEN.match(text, place):
            if match[1] is None:
                break
            self._tokens.append(match[1])
            place = match.end()
        else:
            raise self.error(text[place:])
        self.place = 0
        self.parenthesised = (-1, -1)
        """The places of the parentheses that were closed last."""

    def error(self, near: str) -> RefusedError:
        return invalid(f'Invalid {self.what}: Syntax error; token: "{near}"')

    @property
    def next(self) -> str:
        """The token that comes; an empty one at the end."""
        return self._tokens[self.place] if self.place < len(self._tokens) else ""

    @property
    def after_next(self) -> str:
        return self._tokens[self.place + 1] if self.place + 1 < len(self._tokens) else ""

    def take(self) -> str:
        token = self.next
        self.place += 1
        return token

    def accept(self, *tokens: str) -> str | None:
        """Take the token that comes if it is one of these; keywords in either case."""
        if self.next and self.next.upper() in tokens:
            return self.take().upper()
        return None

    def expect(self, token: str) -> None:
        if self.accept(token) is None:
            raise self.error(self.next or "<EOF>")

    def end(self) -> None:
        if self.next:
            raise self.error(self.next)

    def path(self) -> Path:
        steps: list[str | int] = [self._attribute_name()]
        while True:
            if self.accept("."):
                steps.append(self._attribute_name())
            elif self.accept("["):
                index = self.take()
                if not index.isdigit():
                    raise self.error(index)
                steps.append(int(index))
                self.expect("]")
            else:
                return tuple(steps)

    def literal(self) -> Literal:
        token = self.take()
        if not token.startswith(":"):
            raise self.error(token)
        return Literal(self.placeholders.value(token))

    def operand(self) -> Operand:
        """A path, a placeholder of a value, or size(path)."""
        if self.next.startswith(":"):
            return self.literal()
        if self.next == "size" and self.after_next == "(":
            self.take()
            self.expect("(")
            of = Attribute(self.path())
            self.expect(")")
            return Size(of)
        return Attribute(self.path())

    def _attribute_name(self) -> str:
        token = self.take()
        if token.startswith("#"):
            return self.placeholders.name(token)
        if not _BARE_NAME.fullmatch(token):
            raise self.error(token or "<EOF>")
        if token.upper() in RESERVED_WORDS:
            raise invalid(f"Invalid {self.what}: Attribute name is a reserved keyword; reserved keyword: {token}")
        return token


def parse_projection(text: str, placeholders: Placeholders) -> list[Path]:
    parser = Parser("ProjectionExpression", text, placeholders)
    paths = [parser.path()]
    while parser.accept(","):
        paths.append(parser.path())
    parser.end()
    check_apart(paths, "ProjectionExpression")
    return paths
