"""What a PartiQL statement may read or change: only as much as an invalidation needs."""

import re
from typing import Final, NamedTuple

_FIRST_WORD: Final = re.compile(r"\s*([A-Za-z]+)", re.ASCII)
_NAME: Final = r"""(?:"(?P<quoted>[^"]+)"|(?P<bare>[A-Za-z0-9_-]+))"""
_WRITTEN: Final = re.compile(rf"\s*(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+{_NAME}", re.ASCII | re.IGNORECASE)
_FROM: Final = re.compile(r"\bFROM\b", re.ASCII | re.IGNORECASE)
_READ: Final = re.compile(rf"\bFROM\s+{_NAME}", re.ASCII | re.IGNORECASE)


class Statement(NamedTuple):
    """What a statement does, and to which table; None if the table is not certain."""

    is_read: bool
    table: str | None


def read_statement(text: object) -> Statement:
    """What a statement may read or change. A statement that is not known to be a read may be a write.

    >>> read_statement('SELECT * FROM "Orders"."by_day" WHERE day = ?')
    Statement(is_read=True, table='Orders')
    >>> read_statement('UPDATE "Orders" SET total = 1 WHERE pk = ?')
    Statement(is_read=False, table='Orders')
    >>> read_statement("MERGE INTO something")
    Statement(is_read=False, table=None)
    """
    if not isinstance(text, str):
        return Statement(is_read=False, table=None)
    word = _FIRST_WORD.match(text)
    # EXISTS is the condition check of transactions.
    is_read = word is not None and word[1].upper() in ("SELECT", "EXISTS")
    if is_read:
        # With two of them it is not certain which is the clause, and which is part of a name, a text or a comment.
        target = _READ.search(text) if len(_FROM.findall(text)) == 1 else None
    else:
        target = _WRITTEN.match(text)
    return Statement(is_read, None if target is None else target["quoted"] or target["bare"])
