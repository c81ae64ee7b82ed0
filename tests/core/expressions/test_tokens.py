"""The lexer and document paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.expressions.placeholders import Names
from daxlite.core.expressions.reserved import RESERVED_WORDS
from daxlite.core.expressions.tokens import ALIAS, NAME, NUMBER, SYMBOL, VALUE, Cursor, Token, tokenize
from daxlite.core.not_cacheable import NotCacheable

SYMBOLS = [".", "[", "]", ",", "(", ")", "=", "<>", "<", "<=", ">", ">=", "+", "-"]
WORD = st.text("abcXYZ012_", min_size=1, max_size=6)
TOKENS = st.one_of(
    WORD.map(lambda word: Token(NAME, "n" + word)),
    WORD.map(lambda word: Token(ALIAS, "#" + word)),
    WORD.map(lambda word: Token(VALUE, ":" + word)),
    st.integers(0, 999).map(lambda number: Token(NUMBER, str(number))),
    st.sampled_from(SYMBOLS).map(lambda symbol: Token(SYMBOL, symbol)),
)
WHITE_SPACE = st.text(" \t\r\n", min_size=1, max_size=3)


@given(st.lists(st.tuples(TOKENS, WHITE_SPACE), min_size=1, max_size=20), WHITE_SPACE)
def test_white_space_separates_tokens_and_is_gone(parts: list[tuple[Token, str]], leading: str) -> None:
    text = leading + "".join(token.text + space for token, space in parts)
    assert tokenize(text) == [token for token, _ in parts]


def test_tokens_need_no_white_space_between_them() -> None:
    texts = [token.text for token in tokenize("#a.b[10]<>:v<=:w<c>=d=e")]
    assert texts == ["#a", ".", "b", "[", "10", "]", "<>", ":v", "<=", ":w", "<", "c", ">=", "d", "=", "e"]


@given(st.text(max_size=30))
def test_any_text_is_tokens_or_unrecognised(text: str) -> None:
    try:
        tokens = tokenize(text)
    except NotCacheable:
        return
    assert "".join(token.text for token in tokens) == "".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "_a",
        "a$b",
        "ü",
        "a = 'x'",
        'a = "x"',
        "#",
        ":",
        "a:",
        "# a",
        "a\fb",
        "a\u00a0b",
        "a*b",
        "{}",
        "AND#a",
        "a:b",
    ],
)
def test_what_is_not_in_the_language_is_unrecognised(text: str) -> None:
    with pytest.raises(NotCacheable):
        tokenize(text)


def test_limits_of_dynamodb() -> None:
    assert tokenize("a" * 4096)
    assert tokenize("#" + "a" * 254)
    for text in ("a" * 4097, " " * 4096 + "a", "#" + "a" * 255, ":" + "a" * 255):
        with pytest.raises(NotCacheable):
            tokenize(text)


def test_a_path_ends_where_something_else_begins() -> None:
    cursor = Cursor("a.#b[0][12] . c_1 = :v", Names((("#b", "x.y"),)))
    assert cursor.path() == ("a", "x.y", 0, 12, "c_1")
    assert cursor.at("=")


@pytest.mark.parametrize(
    "text",
    [
        *("a.", "a..b", ".a", "[0]", "a[", "a[]", "a[b]", "a[#b]", "a[:v]", "a[0", "a[-1]", "a[01]", "a[1234567]"),
        *("1", ":v", "name", "NaMe", "a.name", "a.b[0].Size", ".".join("a" * 32)),
    ],
)
def test_paths_that_dynamodb_refuses_or_might(text: str) -> None:
    with pytest.raises(NotCacheable):
        Cursor(text, Names((("#b", "b"),))).path()


def test_reserved_words() -> None:
    assert len(RESERVED_WORDS) == 573
    assert all(word.isalpha() and word.isupper() for word in RESERVED_WORDS)
    assert {"ABORT", "NAME", "SIZE", "STATUS", "ZONE"} <= RESERVED_WORDS
    assert not {"ID", "PK", "BEGINS_WITH"} & RESERVED_WORDS
