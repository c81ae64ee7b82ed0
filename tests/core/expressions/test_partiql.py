"""PartiQL: a statement that is not certain to be a read may write, to any table unless it certainly names one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.expressions.partiql import Statement, read_statement

WRITES = [
    """INSERT INTO "Orders" VALUE {'pk': 'a'}""",
    """UPDATE "Orders" SET total = 1 WHERE pk = 'a'""",
    """UPDATE "Orders" REMOVE total WHERE pk = 'a' RETURNING ALL OLD *""",
    """DELETE FROM "Orders" WHERE pk = 'a'""",
]
READS = [
    """SELECT * FROM "Orders" """,
    """SELECT pk, "FROM" FROM "Orders" WHERE pk = 'a'""",
    """SELECT * FROM "Orders"."by_day" WHERE "day" = ?""",
    """EXISTS(SELECT * FROM "Orders" WHERE pk = 'a')""",
]


def variants(text: str) -> list[str]:
    return [
        text,
        text.lower().replace("orders", "Orders"),
        f" \n\t{text}",
        text.replace(" ", " \n "),
        text.replace('"Orders"', "Orders"),
        f"{text};",
    ]


@pytest.mark.parametrize("text", [each for text in WRITES for each in variants(text)])
def test_writes_and_their_tables(text: str) -> None:
    assert read_statement(text) == Statement(is_read=False, table="Orders")


@pytest.mark.parametrize("text", [each for text in READS for each in variants(text)])
def test_reads(text: str) -> None:
    statement = read_statement(text)
    assert statement.is_read
    if '"FROM"' not in text and '"from"' not in text:
        assert statement.table == "Orders"


@pytest.mark.parametrize(
    "text",
    [
        """SELECT pk, "FROM" FROM "Orders" """,
        """SELECT "a FROM b" FROM "Orders" """,
        """SELECT * /* FROM "Items" */ FROM "Orders" """,
        """SELECT * FROM "Orders" WHERE x = 'from Items'""",
        """SELECT * FROM /* all */ "Orders" """,
        "SELECT 1",
    ],
)
def test_which_table_is_read_is_told_only_where_it_is_plain(text: str) -> None:
    assert read_statement(text) == Statement(is_read=True, table=None)


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ('UPDATE "a.b-c_D" SET x = 1', "a.b-c_D"),
        ('DELETE FROM "SELECT" WHERE pk = 1', "SELECT"),
        ("DELETE FROM Orders-2 WHERE pk = 1", "Orders-2"),
        ("""INSERT INTO "T" VALUE {'pk': 'UPDATE "U" SET x'}""", "T"),
        ("""UPDATE "T" SET x = 'DELETE FROM "U"' WHERE pk = 'a'""", "T"),
        ('INSERT\nINTO\t"T" VALUE ?', "T"),
    ],
)
def test_which_table_a_write_goes_to(text: str, table: str) -> None:
    assert read_statement(text) == Statement(is_read=False, table=table)


@pytest.mark.parametrize(
    "text",
    [
        None,
        3,
        b"SELECT * FROM T",
        ["SELECT"],
        "",
        " ",
        ";",
        '"SELECT"',
        "SELECTED INTO T",
        "UPSERT INTO T VALUE ?",
        "MERGE INTO T",
        "DELETE T",
        "INSERT T",
        "UPDATE",
        'UPDATE "" SET x = 1',
        'UPDATE "T',
        "UPDATE ü SET x = 1",
        "-- a comment\nDELETE FROM T",
        "/* SELECT */ DELETE FROM T",
        "(SELECT * FROM T)",
        "WITH x AS (DELETE FROM T) SELECT * FROM x",
    ],
    ids=repr,
)
def test_what_is_not_plain_may_write_anywhere(text: Any) -> None:
    assert read_statement(text) == Statement(is_read=False, table=None)


@given(st.text(max_size=30) | st.text("SELCTUPDA \"'();\n", max_size=20))
def test_any_text_is_a_read_only_if_it_begins_like_one(text: str) -> None:
    statement = read_statement(text)
    begins = text.strip().upper()
    assert not statement.is_read or begins.startswith(("SELECT", "EXISTS"))


NAMES = st.text('abcXYZ019_-. "', min_size=1, max_size=12)


@given(NAMES)
def test_the_table_of_a_write_is_the_one_it_names_or_not_told(name: str) -> None:
    """In PartiQL a quotation mark within a quoted name is doubled; no table has one in its name."""
    statement = read_statement(f'UPDATE "{name}" SET x = 1')  # noqa: S608 - no database reads it
    if '"' not in name:
        assert statement == Statement(is_read=False, table=name)
    else:
        assert not statement.is_read
