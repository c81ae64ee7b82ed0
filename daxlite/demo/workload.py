"""The workload: the operations of a shop on its orders table, as a list that both clients run."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from daxlite.demo.orders import STATUSES, by_customer, key_of
from daxlite.demo.settings import Item, Key, Request
from daxlite.demo.table import INDEX
from daxlite.demo.writes import Writer
from daxlite.demo.zipf import Zipf

# Fractions of all reads. A shop mostly shows single orders. The other fractions are small because moto walks the whole
# table for each Query and Scan, and the demo should not take long.
READ_MIX = {"GetItem": 0.9125, "BatchGetItem": 0.025, "Query table": 0.04, "Query index": 0.02, "Scan": 0.0025}
WRITES = ("PutItem", "UpdateItem", "DeleteItem")
METHODS = {
    "GetItem": "get_item",
    "BatchGetItem": "batch_get_item",
    "Query table": "query",
    "Query index": "query",
    "Scan": "scan",
    "PutItem": "put_item",
    "UpdateItem": "update_item",
    "DeleteItem": "delete_item",
}
PAGE = 4
SCAN_PAGE = 8
SEGMENTS = 4
# Exponents of the Zipf distributions: of single orders; of lists, because a few screens show the same lists again and
# again; and of writes, which are more even, because an order changes a few times however often it is read.
ORDERS, LISTS, CHANGES = 1.1, 1.6, 0.4


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call, without the name of the table: each client has a table of its own."""

    kind: str
    parameters: Request

    @property
    def method(self) -> str:
        return METHODS[self.kind]

    def request(self, table: str) -> Request:
        if self.kind == "BatchGetItem":
            return {"RequestItems": {table: self.parameters}}
        return {"TableName": table, **self.parameters}


@dataclass(frozen=True, slots=True)
class Workload:
    """The operations in order, and every key that exists at any time while they run."""

    operations: list[PlannedCall]
    keys: list[Key]

    def count(self) -> Counter[str]:
        return Counter(operation.kind for operation in self.operations)

    def queries(self) -> list[PlannedCall]:
        """Each different Query and Scan once."""
        pages = (operation for operation in self.operations if operation.method in {"query", "scan"})
        return list({repr(page.parameters): page for page in pages}.values())


def make_workload(orders: Sequence[Item], reads: int, writes: int, seed: int) -> Workload:
    """`reads` reads and `writes` writes, mixed; the popular ones are read, and changed, more often."""
    rng = Random(seed)
    reader = _Reader(rng, orders)
    writer = Writer(rng, orders, reader.changing_order)
    slots = [True] * reads + [False] * writes
    rng.shuffle(slots)
    kinds = iter(_shares(rng, reads))
    operations = []
    for is_read in slots:
        if is_read:
            kind = next(kinds)
            operations.append(PlannedCall(kind, reader.make[kind]()))
        else:
            operations.append(PlannedCall(*writer.write()))
    return Workload(operations, [*map(key_of, orders), *writer.new_keys])


def _shares(rng: Random, reads: int) -> list[str]:
    """The kinds of reads by their fractions, in random order; GetItem takes the remainder of the rounding."""
    counts = {kind: int(reads * share) for kind, share in READ_MIX.items()}
    counts["GetItem"] += reads - sum(counts.values())
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    rng.shuffle(kinds)
    return kinds


class _Reader:
    """Makes the parameters of reads."""

    def __init__(self, rng: Random, orders: Sequence[Item]) -> None:
        self._rng = rng
        owned = by_customer(orders)
        customers = sorted(owned)
        rng.shuffle(customers)
        self._customers = Zipf(rng, customers, ORDERS)
        self._lists = Zipf(rng, customers, LISTS)
        self._changing = Zipf(rng, customers, CHANGES)
        # The latest orders of a customer are the popular ones.
        self._orders = {customer: Zipf(rng, items, ORDERS) for customer, items in owned.items()}
        days = sorted({order["created_at"]["S"][:10] for order in orders}, reverse=True)
        self._worklists = Zipf(rng, [f"{status}#{day}" for day in days for status in STATUSES], LISTS)
        self.make: dict[str, Callable[[], Request]] = {
            "GetItem": lambda: {"Key": key_of(self.popular_order())},
            "BatchGetItem": self._batch,
            "Query table": self._orders_of_customer,
            "Query index": self._work_of_day,
            "Scan": self._page_of_export,
        }

    def popular_order(self) -> Item:
        return self._orders[self._customers.draw()].draw()

    def changing_order(self) -> Item:
        return self._orders[self._changing.draw()].draw()

    def _batch(self) -> Request:
        # A batch may not name a key twice.
        wanted = {repr(key): key for key in (key_of(self.popular_order()) for _ in range(self._rng.choice((2, 3, 4))))}
        return {"Keys": list(wanted.values())}

    def _orders_of_customer(self) -> Request:
        return {
            "KeyConditionExpression": "customer = :customer AND begins_with(#order, :month)",
            "ExpressionAttributeNames": {"#order": "order"},
            "ExpressionAttributeValues": {
                ":customer": {"S": self._lists.draw()},
                ":month": {"S": "order#2026-03"},
            },
            "ScanIndexForward": False,
            "Limit": PAGE,
        }

    def _work_of_day(self) -> Request:
        return {
            "IndexName": INDEX,
            "KeyConditionExpression": "status_day = :day",
            "ExpressionAttributeValues": {":day": {"S": self._worklists.draw()}},
            "ScanIndexForward": True,
            "Limit": PAGE,
        }

    def _page_of_export(self) -> Request:
        return {"Limit": SCAN_PAGE, "TotalSegments": SEGMENTS, "Segment": self._rng.randrange(SEGMENTS)}
