"""The third part of the demo: another process finds what this one has read, and sees what it writes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import uuid4

from daxlite.demo.aggregation import HEARS_WITHIN, Shop
from daxlite.demo.check import CheckResult
from daxlite.demo.desk import Desk, Looked
from daxlite.demo.other_process import Address, OtherProcess, other_process
from daxlite.demo.settings import Client, Item, Key

MOST_READS = 100
MOST_WRITES = 50


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the other process found."""

    elsewhere: str
    """What it is."""
    first: Looked
    """What this process read."""
    found: Looked
    """The same, by the other one."""
    again: Looked
    """The same once more, from its own memory."""
    writes: int
    seen: int
    """Writes that it saw when it asked right after them."""
    reads: int
    """Reads that it sent to DynamoDB for that."""


def share(
    shop: Shop, plain: Client, keys: Sequence[Key], result: CheckResult, advance: Callable[[int], None]
) -> Sharing:
    """Have one process read and write, and another one look. Its answers are compared with those of the plain
    client."""
    keys = keys[:MOST_READS]
    changed = keys[:MOST_WRITES]
    with _desks(shop) as (here, other, elsewhere):
        first, found = here.look_up(keys), other.look_up(keys)
        other.wait_until_it_hears(HEARS_WITHIN)
        other.look_up(keys)  # now it keeps what it finds
        again = other.look_up(keys)
        if shop.settings.endpoint_url is None:  # an external server may read from a replica that lags
            _compare(shop, plain, keys, (first, found, again), result)
        advance(1)
        seen = reads = 0
        for key, before in zip(changed, first.items, strict=False):
            here.change(key)
            after = other.look_up([key])
            reads += after.reads
            seen += _revision(after.items[0]) == _revision(before) + 1
        advance(1)
        return Sharing(elsewhere, first, found, again, len(changed), seen, reads)


def _compare(shop: Shop, plain: Client, keys: Sequence[Key], all_looked: Sequence[Looked], result: CheckResult) -> None:
    for number, key in enumerate(keys):
        expected = plain.get_item(TableName=shop.table, Key=key).get("Item", {})
        for looked in all_looked:
            result.along_the_way += 1
            result.compare({"GetItem": key}, {"Item": expected}, {"Item": looked.items[number]})


def _revision(item: Item) -> int:
    return int(item.get("revision", {}).get("N", "0"))


@contextmanager
def _desks(shop: Shop) -> Iterator[tuple[Desk, Desk | OtherProcess, str]]:
    """The desk of this process, one in another process, and what the latter is called."""
    with ExitStack() as stack:

        def desk(server: object) -> Desk:
            client = shop.connect(shop.endpoint_url)
            stack.callback(client.close)
            made = Desk(client, server, namespace, shop.table)
            stack.callback(made.close)
            return made

        namespace = f"daxlite-demo-{uuid4().hex[:8]}"
        if shop.redis.url is None:
            server = stack.enter_context(shop.redis.connect())
            yield desk(server), desk(server), "a second cache of this process"
            return
        here = desk(shop.redis.url)
        is_embedded = shop.settings.endpoint_url is None
        address = Address(shop.endpoint_url, is_embedded, shop.redis.url, namespace, shop.table)
        yield here, stack.enter_context(other_process(address)), "another process"
