"""The demo: one workload through a plain and a wrapped client, compared in speed, cost and answers.

The data are the orders of a shop. The second part is an aggregation of them, the third a cache that two processes
share.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from time import perf_counter
from uuid import uuid4

from rich.console import Console

import daxlite
from daxlite.demo.aggregation import STEPS, Shop, aggregate
from daxlite.demo.alternate import alternate
from daxlite.demo.check import CheckResult, check
from daxlite.demo.connect import embedded_client, external_client
from daxlite.demo.measure import Lane
from daxlite.demo.meter import Meter
from daxlite.demo.orders import make_orders
from daxlite.demo.price import saving
from daxlite.demo.progress import progress
from daxlite.demo.redis_servers import redis_server
from daxlite.demo.report import OF_THE_INDEX, aggregations, latencies, sharing, totals, verdict
from daxlite.demo.server import embedded_server
from daxlite.demo.settings import FULL, SHORT, Client, DemoError, Response, Settings
from daxlite.demo.sharing import share
from daxlite.demo.table import load, temporary_tables
from daxlite.demo.workload import PlannedCall, make_workload

__all__ = ["FULL", "SHORT", "DemoError", "Settings", "run"]

# One table for each client, with the same items: they take turns, and must not see the writes of each other.
TABLES = ("Orders", "OrdersRaw")


def run(settings: Settings, console: Console) -> bool:
    """Run the whole demo. Returns whether all answers agreed."""
    started = perf_counter()
    orders = make_orders(settings.items, settings.seed)
    workload = make_workload(orders, settings.reads, settings.write_count, settings.seed)
    with ExitStack() as stack:
        connect, url, suffix = stack.enter_context(_dynamodb(settings, console))
        server = stack.enter_context(redis_server(settings.redis_url))
        console.print(server.description, markup=False, soft_wrap=True)
        console.print(
            f"{settings.items:,} orders in a table with an index; {settings.reads:,} reads and "
            f"{settings.write_count:,} writes,\nthe same for a plain boto3 client and for a wrapped one"
        )
        plain, inner = (stack.enter_context(closing(connect(url))) for _ in range(2))
        table, raw_table = (name + suffix for name in TABLES)
        stack.enter_context(temporary_tables(plain, (table, raw_table)))
        with progress(console, "loading the two tables", 2 * len(orders)) as advance:
            for name in (table, raw_table):
                load(plain, name, orders, advance)

        cache = daxlite.Cache(daxlite.CacheConfig())
        raw = Lane(plain, raw_table, Meter(plain))
        wrapped = Lane(daxlite.wrap(inner, cache=cache), table, Meter(inner))
        result = CheckResult()

        def compare(operation: PlannedCall, left: Response, right: Response) -> None:
            # An external server may read from a replica that lags: there, only the check at the end counts.
            if settings.endpoint_url is None:
                result.along_the_way += 1
                result.compare(operation, left, right, (raw_table, table))

        with progress(console, "running the workload, both ways", len(workload.operations)) as advance, _long_lived():
            alternate(raw, wrapped, workload.operations, settings.seed, compare, advance)
        # Before the check, which reads through both clients too: these figures are those of the workload alone.
        tables = latencies(raw, wrapped), OF_THE_INDEX, totals(raw, wrapped, cache.stats(), perf_counter() - started)
        price = saving(raw.meter.read_units, wrapped.meter.read_units, settings.reads)
        queries = workload.queries()
        with progress(console, "checking that all answers agree", len(workload.keys) + len(queries)) as advance:
            check(plain, wrapped.client, table, workload.keys, queries, result, advance)
        shop = Shop(connect, url, table, server, settings)
        with progress(console, "computing the revenue of a week", STEPS) as advance:
            rows = aggregate(shop, plain, result, advance)
        with progress(console, "sharing a cache with another process", 2) as advance:
            shared = share(shop, plain, workload.keys, result, advance)

    for shown in (*tables, price, aggregations(rows)):
        console.print(shown, highlight=False, markup=False)
    console.print(sharing(shared), highlight=False, markup=False)
    verdict(console, result)
    return not result.disagreements


@contextmanager
def _long_lived() -> Iterator[None]:
    """Exempt the orders and the operations, which live as long as the demo, from garbage collection.

    Each collection would traverse them, which would show in the p99 of both clients.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _dynamodb(settings: Settings, console: Console) -> Iterator[tuple[Callable[[str], Client], str, str]]:
    """A function that makes a client of the server, its URL, and a suffix for table names."""
    if settings.endpoint_url is None:
        with embedded_server() as url:
            console.print(f"an embedded DynamoDB server (moto) at {url}", markup=False)
            yield embedded_client, url, ""
    else:
        url = settings.endpoint_url
        console.print(f"the DynamoDB server at {url}, with tables that are deleted at the end", markup=False)
        yield external_client, url, f"-daxlite-{uuid4().hex[:8]}"
