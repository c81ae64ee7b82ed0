"""Numbers: every notation of one value is one text, the text of no other value, and the one that DynamoDB returns."""

import subprocess
import sys
import textwrap
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.numbers import canonical_number


def reference(value: Fraction) -> str:
    """A decimal fraction in plain notation, by nothing but whole numbers."""
    places, whole = 0, value
    while whole.denominator != 1:
        whole, places = whole * 10, places + 1
    digits = str(abs(whole.numerator)).rjust(places + 1, "0")
    text = digits if not places else f"{digits[:-places]}.{digits[-places:]}"
    return f"-{text}" if value < 0 else text


@st.composite
def numbers(draw: st.DrawFn) -> tuple[Fraction, str]:
    """A value that DynamoDB takes, and one of its many notations."""
    digits = draw(st.integers(0, 10**38 - 1) | st.integers(0, 1000))
    length = len(str(digits).rstrip("0")) if digits else 1
    significant = digits // 10 ** (len(str(digits)) - length) if digits else 0
    # Its first digit stands between 1e-130 and 9.9e125.
    exponent = draw(
        st.integers(-130 - length + 1, 125 - length + 1) | st.integers(-3, 3).filter(lambda e: length < 100)
    )
    sign = draw(st.sampled_from(["", "+", "-"]))
    value = Fraction(significant) * Fraction(10) ** exponent * (-1 if sign == "-" else 1)
    # Move the point by as much as you like, and say so in the exponent.
    text = str(significant) + "0" * (trailing := draw(st.integers(0, 5)))
    shown = exponent - trailing
    text = "0" * draw(st.integers(0, 3)) + text
    if draw(st.booleans()):
        after = draw(st.integers(0, len(text)))
        text, shown = f"{text[: len(text) - after]}.{text[len(text) - after :]}", shown + after
        text += "0" * draw(st.integers(0, 3))
    letter = draw(st.sampled_from("eE"))
    plus = draw(st.sampled_from(["", "+"])) if shown >= 0 else ""
    zeros = "0" * min(draw(st.integers(0, 2)), 4 - len(str(abs(shown))))  # longer exponents are left to DynamoDB
    if shown or draw(st.booleans()):
        text += f"{letter}{'-' if shown < 0 else plus}{zeros}{abs(shown)}"
    return value, sign + text


@given(numbers())
@example((Fraction(1), "1"))
@example((Fraction(0), "-0"))
@example((Fraction(0), "0e999"))
def test_every_notation_of_a_value_is_the_same_plain_text(number: tuple[Fraction, str]) -> None:
    value, text = number
    assert canonical_number(text) == reference(value)


@given(numbers(), numbers())
def test_two_texts_are_one_exactly_when_their_values_are(
    one: tuple[Fraction, str], other: tuple[Fraction, str]
) -> None:
    assert (canonical_number(one[1]) == canonical_number(other[1])) == (one[0] == other[0])


@given(numbers())
def test_the_canonical_text_of_a_canonical_text_is_the_same(number: tuple[Fraction, str]) -> None:
    text = canonical_number(number[1])
    assert canonical_number(text) == text
    assert Fraction(text) == number[0]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("00", "0"),
        ("-0", "0"),
        ("+0.00", "0"),
        ("0e5", "0"),
        ("007", "7"),
        ("1.", "1"),
        (".5", "0.5"),
        ("-.5e1", "-5"),
        ("1.50", "1.5"),
        ("100", "100"),
        ("1e2", "100"),
        ("1E+02", "100"),
        ("10e-1", "1"),
        ("0.0000001", "0.0000001"),
        ("1e-7", "0.0000001"),
        ("9" * 38, "9" * 38),
        ("9" * 38 + "000", "9" * 38 + "000"),
        ("1e125", "1" + "0" * 125),
        ("1e-130", "0." + "0" * 129 + "1"),
        ("9.9999999999999999999999999999999999999e125", "9" * 38 + "0" * 88),
        ("0.1234567890123456789012345678901234567800", "0.12345678901234567890123456789012345678"),
        ("0" * 400 + "1", "1"),
    ],
)
def test_examples(text: str, canonical: str) -> None:
    assert canonical_number(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        " 1",
        "1\n",
        "+",
        "-",
        ".",
        "e1",
        ".e1",
        "1e",
        "1e+",
        "1e1.5",
        "1,5",
        "1_000",
        "0x10",
        "--1",
        "+-1",
        "1.2.3",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "one",
        "\u0661",  # an Arabic-Indic digit one, which Decimal and str.isdigit take
        "\u00b2",  # a superscript two, which str.isdigit takes
        "\uff11",  # a full-width digit one
        "1e126",
        "1e-131",
        "-1e126",
        "1e1000000000",
        "1e99999999999999999999",
        "1e-1000000000",  # Decimal makes it 0, which is another key
        "-1e-99999999999999999999",
        "9" * 39,
        "1" + "0" * 37 + "1",
        "0." + "1" * 39,
        "0" * 500 + "1",
    ],
)
def test_what_dynamodb_would_refuse_is_unrecognised(text: str) -> None:
    with pytest.raises(NotCacheable):
        canonical_number(text)


@given(st.text("0123456789+-.eE ", max_size=12) | st.text(max_size=5))
def test_any_text_is_a_number_or_unrecognised(text: str) -> None:
    try:
        canonical = canonical_number(text)
    except NotCacheable:
        return
    assert Fraction(canonical) == Fraction(Decimal(text))


def test_no_rounding_makes_two_numbers_one() -> None:
    """Python's default context would round them to 28 digits."""
    texts = [f"1.{'0' * 36}{last}" for last in range(10)] + [f"{'1' * 37}{last}" for last in range(10)]
    assert len({canonical_number(text) for text in texts}) == 20


def test_the_number_context_of_the_program_does_not_count() -> None:
    """A program sets it before it imports anything, so that is done in a process of its own."""
    code = """
        import decimal
        for context in (decimal.DefaultContext, decimal.getcontext()):
            context.prec, context.Emax, context.Emin, context.clamp = 3, 5, -5, 1
            for signal in context.traps:
                context.traps[signal] = True
        from daxlite.core.numbers import canonical_number
        assert canonical_number("1.50e-20") == "0." + "0" * 19 + "15"
        assert canonical_number("12345678.90e20") == "123456789" + "0" * 19
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
