"""The settings of the demo, its types, and its error."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

# boto3 makes client classes at run time, and a wrapped client is a proxy of one: no class is common to both.
Client = Any
Item = dict[str, Any]
Key = dict[str, Any]
Request = dict[str, Any]
Response = dict[str, Any]


class DemoError(Exception):
    """The demo cannot run. The message is for the user."""


class Size(NamedTuple):
    """How much the demo does."""

    items: int
    reads: int


SHORT: Final = Size(500, 2_000)
"""Seconds on a machine with two cores. moto goes through its whole table for each Query."""
FULL: Final = Size(5_000, 20_000)
"""Minutes, for percentiles of the rarer operations that mean something."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run. `writes` is a fraction of all operations; the two URLs replace the embedded servers."""

    items: int = SHORT.items
    reads: int = SHORT.reads
    writes: float = 0.05
    seed: int = 1
    endpoint_url: str | None = None
    redis_url: str | None = None

    @property
    def write_count(self) -> int:
        """The number of writes that is this fraction of all operations.

        >>> Settings(reads=95, writes=0.05).write_count
        5
        """
        return round(self.reads * self.writes / (1.0 - self.writes))
