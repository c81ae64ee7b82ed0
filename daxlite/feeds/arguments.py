"""The arguments of `follow`, checked."""

from collections.abc import Iterable
from typing import Any

from ..cache.regions import check_table
from ..core.checks import is_number, shown
from ..core.tables import region_and_name
from ..edges.wrapping import is_of_asyncio
from .async_clients import AsyncClients
from .clients import Clients, unwrapped
from .following import Settings
from .streams.reader import SPACING, Start


def check_tables(tables: Iterable[str]) -> list[str]:
    """The names or ARNs, each once. Raises TypeError or ValueError for what is none."""
    if isinstance(tables, str) or not isinstance(tables, Iterable):
        raise TypeError(f"tables is {shown(tables)}; it must be a list of names or ARNs")
    names = list(tables)
    if not names:
        raise ValueError("tables is empty; it must have the name or the ARN of a table")
    for name in names:
        check_table(name, None)
    # A name and an ARN of it are one table.
    return list({region_and_name(name)[1]: name for name in reversed(names)}.values())[::-1]


def settings_of(start: Start | None, poll: float) -> Settings:
    """How to follow. Raises ValueError for what is not allowed."""
    if start not in (None, "latest", "trim_horizon"):
        raise ValueError(f'start is {shown(start)}; it must be "latest" or "trim_horizon", or None')
    if not is_number(poll) or not SPACING <= poll <= 60:
        raise ValueError(f"poll is {shown(poll)}; it must be a number of seconds from {SPACING} to 60")
    return Settings(start or "latest", float(poll), needs_checkpoint=start is None)


def clients_of(client: Any, session: Any) -> Clients | AsyncClients:
    """The clients of a feed, by what is given. Raises TypeError for what is not allowed."""
    is_async = any(is_of_asyncio(type(unwrapped(given))) for given in (client, session))
    return AsyncClients(client, session) if is_async else Clients(client, session)
