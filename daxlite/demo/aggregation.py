"""The second part of the demo: an aggregation of many items, cold, hot and after writes, in two processes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from random import Random
from time import perf_counter, sleep
from uuid import uuid4

from daxlite.aggregations import AggregationCache
from daxlite.demo.check import CheckResult
from daxlite.demo.office import COMPUTED, Asked, Office
from daxlite.demo.orders import customer_count, make_order
from daxlite.demo.other_process import Address, OtherProcess, other_process
from daxlite.demo.redis_servers import RedisServer
from daxlite.demo.revenue import AFTERWARDS, WEEK, revenue_of
from daxlite.demo.settings import Client, Item, Settings

STEPS = 8
AGAIN = 200
# Seconds after which a process has subscribed to changes, or has received a change that another process made.
HEARS_WITHIN = 2.0
# Seconds for which the replicas of an external server may lag: a result that is computed from them lags as well.
LAGS_FOR = 15.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """A row of the table: when the revenue was asked for, and how it was answered."""

    when: str
    asked: Asked


@dataclass(frozen=True, slots=True)
class Shop:
    """The servers and the table that all offices use."""

    connect: Callable[[str], Client]
    endpoint_url: str
    table: str
    redis: RedisServer
    settings: Settings


def aggregate(shop: Shop, plain: Client, result: CheckResult, advance: Callable[[int], None]) -> list[Measurement]:
    """Ask for the revenue of a week in several situations, and compare the answers with those of the plain client."""
    is_ours = shop.settings.endpoint_url is None
    rows: list[Measurement] = []

    def note(when: str, asked: Asked) -> Asked:
        rows.append(Measurement(when, asked))
        advance(1)
        return asked

    def check(*found: Asked) -> None:
        expected = revenue_of(plain, shop.table, WEEK)
        for one in found:
            result.compare_totals("the revenue of the week", expected, one.revenue)

    with _offices(shop) as (here, other, elsewhere):
        orders = _new_orders(shop.settings)
        cold = note("for the first time", here.ask())
        here.wait_until_it_listens(HEARS_WITHIN)
        hot = [note("again", here.ask()), note(f"again, {AGAIN} times (p50)", here.ask(AGAIN))]
        hot.append(note(f"in {elsewhere}", other.ask()))
        here.put(next(order for order in orders if _day(order) == AFTERWARDS))
        hot.append(note("after a put of another day", here.ask()))
        # Only now, because it takes long: results must not expire between one question and the next.
        if is_ours:
            check(cold, *hot)

        here.put(next(order for order in orders if _day(order) in WEEK))
        changed = note("after a put of that week", here.ask()), note(f"after it, in {elsewhere}", other.ask())
        if is_ours:
            check(*changed)

        other.put(next(order for order in orders if _day(order) in WEEK))
        note(f"after a put in {elsewhere}", _once_heard(here))
        _check_at_last((here, other), plain, shop.table, HEARS_WITHIN if is_ours else LAGS_FOR, result)
    return rows


@contextmanager
def _offices(shop: Shop) -> Iterator[tuple[Office, Office | OtherProcess, str]]:
    """The office of this process, one in another process, and the name of the latter in the table."""
    with ExitStack() as stack:

        def office(namespace: str) -> Office:
            client = shop.connect(shop.endpoint_url)
            stack.callback(client.close)
            server = stack.enter_context(shop.redis.connect())
            aggregations = AggregationCache(server, namespace)
            stack.callback(aggregations.close)
            stack.callback(aggregations.clear)
            return Office(client, aggregations, shop.table)

        namespace = f"daxlite-demo-{uuid4().hex[:8]}"
        here = office(namespace)
        if shop.redis.url is None:
            yield here, office(namespace), "a second cache of this process"
            return
        is_embedded = shop.settings.endpoint_url is None
        address = Address(shop.endpoint_url, is_embedded, shop.redis.url, namespace, shop.table)
        yield here, stack.enter_context(other_process(address)), "another process"


def _once_heard(here: Office) -> Asked:
    """The first answer that is computed again. Until this process receives the change, its near cache answers."""
    deadline = perf_counter() + HEARS_WITHIN
    while True:
        asked = here.ask()
        if asked.source == COMPUTED or perf_counter() > deadline:
            return asked


def _check_at_last(
    offices: Sequence[Office | OtherProcess], plain: Client, table: str, patience: float, result: CheckResult
) -> None:
    deadline = perf_counter() + patience
    while True:
        expected = revenue_of(plain, table, WEEK)
        found = [office.ask().revenue for office in offices]
        if all(one == expected for one in found) or perf_counter() > deadline:
            break
        sleep(0.2)
    for one in found:
        result.compare_totals("the revenue of the week, at the end", expected, one)


def _new_orders(settings: Settings) -> Iterator[Item]:
    """Orders with numbers that neither the data nor the workload uses."""
    rng = Random(settings.seed)
    for number in count(2 * settings.items + settings.write_count):
        yield make_order(rng, rng.randrange(1, customer_count(settings.items) + 1), number)


def _day(order: Item) -> str:
    created_at: str = order["created_at"]["S"]
    return created_at[:10]


def speedup(rows: Sequence[Measurement], row: Measurement) -> float:
    """How many times faster than the first answer."""
    return rows[0].asked.seconds / row.asked.seconds
