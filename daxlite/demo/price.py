"""What read units cost, under an assumption that is printed with every figure that follows from it."""

from typing import Final

DOLLARS_PER_MILLION: Final = 0.125
ASSUMPTION: Final = f"""\
Assumed: ${DOLLARS_PER_MILLION} per million read request units, on demand in us-east-1, for
tables of the class Standard, since 2024-11-01 (aws.amazon.com/dynamodb/pricing)
"""
READS: Final = 1_000_000_000


def dollars(read_units: float, reads: int) -> float:
    """The price of a billion reads of which so many took so many read units.

    >>> dollars(500.0, 1_000)
    62.5
    """
    return read_units / reads * READS * DOLLARS_PER_MILLION / 1_000_000


def saving(raw_units: float, wrapped_units: float, reads: int) -> str:
    """The lines to print.

    >>> print(saving(500.0, 80.0, 1_000).partition("Assumed")[0].strip())
    a billion reads like these: $62.50 of read request units plain, $10.00
    wrapped: $52.50 saved.
    """
    raw, wrapped = (dollars(units, reads) for units in (raw_units, wrapped_units))
    return (
        f"a billion reads like these: ${raw:,.2f} of read request units plain, ${wrapped:,.2f}\n"
        f"wrapped: ${raw - wrapped:,.2f} saved.\n{ASSUMPTION}"
    )
