"""What a run of the demo can be told, and the one error that it raises itself."""

from dataclasses import dataclass
from typing import Any

# boto3 makes its client classes at run time, and a wrapped client is a proxy of one: there is no class to name here
# that holds for both, and the demo treats the two alike on purpose.
Client = Any
Item = dict[str, Any]
Key = dict[str, Any]
Request = dict[str, Any]
Response = dict[str, Any]


class DemoError(Exception):
    """The demo cannot run; the text is for the person who started it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One run. `writes` is a share of all operations; the two URLs replace the embedded servers."""

    items: int = 5_000
    reads: int = 20_000
    writes: float = 0.05
    seed: int = 1
    endpoint_url: str | None = None
    redis_url: str | None = None

    @property
    def write_count(self) -> int:
        """How many writes make the asked share of all operations.

        >>> Settings(reads=95, writes=0.05).write_count
        5
        """
        return round(self.reads * self.writes / (1.0 - self.writes))
