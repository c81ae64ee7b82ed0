"""The running counts of a cache; `stats.py` has the snapshots of them."""

from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["item", "query", "scan"]
KINDS: Final[tuple[Kind, ...]] = ("item", "query", "scan")

NUMBERS: Final = (
    "hits",
    "misses",
    "joined",
    "consistent_misses",
    "fills",
    "settling_fills",
    "discarded_fills",
    "invalidations",
    "evictions",
    "expirations",
    "entries",
    "bytes",
)


class KindCounters:
    """The running counts of one table and kind. The cache's lock guards them, but not hits and misses: without Python's
    global lock one of those might be lost."""

    __slots__ = (*NUMBERS, "bypasses")

    hits: int
    misses: int
    joined: int
    consistent_misses: int
    fills: int
    settling_fills: int
    discarded_fills: int
    invalidations: int
    evictions: int
    expirations: int
    entries: int
    bytes: int

    def __init__(self) -> None:
        for name in NUMBERS:
            setattr(self, name, 0)
        self.bypasses: dict[str, int] = {}

    def bypass(self, reason: str) -> None:
        self.bypasses[reason] = self.bypasses.get(reason, 0) + 1
