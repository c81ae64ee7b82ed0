"""The differential check: a wrapped client must answer as a plain client does."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from daxlite.demo.settings import Client, Key, Response
from daxlite.demo.workload import PlannedCall

# Fields that differ between any two calls, cached or not.
VOLATILE = frozenset({"ResponseMetadata", "ConsumedCapacity"})
# No times are measured here, so one reader may prepare its request while the server answers the other.
READERS = 2
SET_TYPES = frozenset({"SS", "NS", "BS"})


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One request that the two clients answered differently."""

    request: str
    raw: str
    wrapped: str


@dataclass(slots=True)
class CheckResult:
    """How many answers were compared, and those that differed."""

    keys: int = 0
    queries: int = 0
    along_the_way: int = 0
    aggregations: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)

    def compare(self, request: object, raw: Response, wrapped: Response, tables: tuple[str, str] = ("", "")) -> None:
        """Note a disagreement if the answers differ. `tables`: two names, raw and wrapped, that count as one."""
        if meaning(raw, tables[0]) != meaning(wrapped, tables[1]):
            self.disagreements.append(Disagreement(str(request), _shown(raw), _shown(wrapped)))

    def compare_totals(self, what: str, raw: dict[Any, Any], cached: dict[Any, Any]) -> None:
        """Note a disagreement if an aggregation differs from that of a plain client."""
        self.aggregations += 1
        if raw != cached:
            groups = [group for group in {**raw, **cached} if raw.get(group) != cached.get(group)]
            differing = ({group: totals.get(group) for group in groups} for totals in (raw, cached))
            self.disagreements.append(Disagreement(what, *map(_shown, differing)))


def check(
    raw: Client,
    wrapped: Client,
    table: str,
    keys: Sequence[Key],
    queries: Sequence[PlannedCall],
    result: CheckResult,
    advance: Callable[[int], None],
) -> None:
    """Send a read of every key, and every query, through both clients, and compare whole answers.

    The wrapped client is asked twice: its first answer may come from the server, its second one comes from the cache.
    """
    gets = [PlannedCall("GetItem", {"Key": key}) for key in keys]

    def read_both_ways(operation: PlannedCall) -> None:
        request = operation.request(table)
        expected = getattr(raw, operation.method)(**request)
        for _ in range(2):
            result.compare(operation, expected, getattr(wrapped, operation.method)(**request))

    with ThreadPoolExecutor(READERS) as readers:
        for _ in readers.map(read_both_ways, (*gets, *queries)):
            advance(1)
    result.keys += len(gets)
    result.queries += len(queries)


def meaning(value: Any, table: str = "") -> Any:
    """An answer without volatile fields, without the order of sets and batches, and without the name of the table.

    >>> one = {"Item": {"tags": {"SS": ["b", "a"]}}, "ResponseMetadata": {"RetryAttempts": 0}}
    >>> meaning(one) == meaning({"Item": {"tags": {"SS": ["a", "b"]}}})
    True
    >>> meaning({"Responses": {"t": [{"id": {"N": "2"}}, {"id": {"N": "1"}}]}}, "t")
    {'Responses': {'*': [{'id': {'N': '1'}}, {'id': {'N': '2'}}]}}
    >>> meaning({"M": {"SS": {"S": "an attribute that is called SS"}}})
    {'M': {'SS': {'S': 'an attribute that is called SS'}}}
    """
    if not isinstance(value, dict):
        return [meaning(member, table) for member in value] if isinstance(value, list) else value
    plain: dict[str, Any] = {}
    for name, content in value.items():
        if name in VOLATILE:
            continue
        if name in SET_TYPES and isinstance(content, list):
            plain[name] = sorted(content)
        elif name == "Responses":
            plain[name] = _batches(content, table)
        else:
            plain[name] = meaning(content, table)
    return plain


def _batches(responses: dict[str, list[Any]], table: str) -> dict[str, list[Any]]:
    return {
        "*" if name == table else name: sorted((meaning(item) for item in items), key=_sortable)
        for name, items in responses.items()
    }


def _sortable(item: dict[str, Any]) -> str:
    return repr(sorted(item.items()))


def _shown(response: Response, width: int = 1_000) -> str:
    text = repr({name: content for name, content in response.items() if name not in VOLATILE})
    return text if len(text) <= width else f"{text[:width]}..."


def summary(result: CheckResult) -> Iterable[str]:
    """The lines that report a check."""
    verdict = "all agree" if not result.disagreements else f"{len(result.disagreements):,} DISAGREE"
    along = f" (and {result.along_the_way:,} pairs of answers while running)" if result.along_the_way else ""
    totals = f", {result.aggregations:,} aggregations" if result.aggregations else ""
    yield f"checked {result.keys:,} keys and {result.queries:,} queries{along}{totals}: {verdict}"
    for found in result.disagreements[:5]:
        yield f"  {found.request}\n    raw     {found.raw}\n    wrapped {found.wrapped}"
