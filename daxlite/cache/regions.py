"""Which regions this process talks to: a call by a table's name alone reaches the table in each of them."""

from typing import Final

from ..core.checks import is_name, shown
from ..core.tables import NAME_RULE, Place, is_table_name, region_and_name

_known: Final[dict[str, None]] = {}
"""The regions of all clients and tables so far; the empty string stands for endpoints that are not AWS's."""


def note_region(region: str) -> None:
    """Remember a region that a client or a table of this process is in; empty for an endpoint that is not AWS's."""
    _known.setdefault(region, None)


def known_regions() -> tuple[str, ...]:
    """The regions of all clients and tables so far, in the order in which they were first used."""
    return tuple(_known)


def places_of(name_or_arn: str, region: str | None = None) -> list[Place]:
    """Where a table may be that is named without a client.

    name_or_arn: a name, or an ARN, which has its region. region: one region of AWS; unless given, every region that
    this process knows, or the default region of a session where it knows none yet. Endpoints that are not AWS's have no
    region, so a table there is always among them.
    """
    in_arn, name = region_and_name(name_or_arn)
    region = region or in_arn
    known = known_regions() or tuple(dict.fromkeys((_default_region(), "")))
    regions = known if region is None else (region, *(each for each in known if not each))
    return [Place(each, name) for each in regions]


def check_table(table: object, region: object) -> None:
    """Raises TypeError or ValueError for what is not a table's name or ARN, and a region or None."""
    if not isinstance(table, str) or not table:
        raise TypeError(f"table is {shown(table)}; it must be a table's name or ARN")
    if region is not None and not is_name(region):
        raise TypeError(f"region is {shown(region)}; it must be the name of a region, or None for all that are known")
    if table.startswith("arn:"):
        in_arn, _ = region_and_name(table)
        if in_arn is None:
            raise ValueError(f"table is {shown(table)}, which is not the ARN of a table, as it must be")
        if region not in (None, in_arn):
            raise ValueError(f"region is {shown(region)}, and the ARN is of a table in {in_arn}; give it once")
    elif not is_table_name(table):
        raise ValueError(f"table is {shown(table)}; it must be a table's name, which has {NAME_RULE}")


def _default_region() -> str:
    """The region that a new session would use; empty where none is configured."""
    # Read from files, so only where it is asked for.
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        return Session().get_config_variable("region") or ""
    except BotoCoreError:  # files that cannot be read, or a profile that is not there: no client can be made from them
        return ""
