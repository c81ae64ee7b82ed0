"""The data: the orders of an online shop. The same seed makes the same orders."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from daxlite.demo.settings import Item, Key
from daxlite.demo.zipf import Zipf

STATUSES = ("delivered", "shipped", "packed", "paid", "placed", "returned")
ORDERS_PER_CUSTOMER = 8
SHOP_OPENED = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DAYS = 30

_PRODUCTS = (
    ("MUG-BLUE", 1250),
    ("TEA-EARL-GREY", 795),
    ("LAMP-OAK", 8900),
    ("BOOK-1984", 1199),
    ("SOCKS-WOOL", 1999),
    ("KNIFE-CHEF", 6450),
    ("PLANT-FERN", 2100),
    ("CABLE-USB-C", 949),
)
_STREETS = ("Lindenstraße", "Rue de la Paix", "Høgskoleveien", "Via Garibaldi", "Mill Lane", "Calle Mayor")
_CITIES = ("Köln", "Lyon", "Tromsø", "Torino", "Bristol", "Málaga", "Łódź")
_CURRENCIES = ("EUR", "EUR", "EUR", "GBP", "NOK")
_TAGS = ("gift", "express", "fragile", "newsletter", "voucher", "pickup", "first-order")


def money(cents: int) -> str:
    """The amount as DynamoDB returns it: without trailing zeros.

    >>> money(1999), money(1250), money(8900)
    ('19.99', '12.5', '89')
    """
    return format((Decimal(cents) / 100).normalize(), "f")


def status_day(status: str, created_at: str) -> dict[str, str]:
    """The partition key of the index: it holds the orders of one day that have one status, the work list of a packer.

    >>> status_day("paid", "2026-03-02T09:15:00Z")
    {'S': 'paid#2026-03-02'}
    """
    return {"S": f"{status}#{created_at[:10]}"}


def key_of(item: Item) -> Key:
    return {"customer": item["customer"], "order": item["order"]}


def make_order(rng: Random, customer: int, number: int) -> Item:
    """One order. `number` is unique in the shop, so no two orders have the same key."""
    created = SHOP_OPENED + timedelta(seconds=rng.randrange(DAYS * 86_400))
    created_at = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    status = rng.choice(STATUSES)
    lines, total = [], 0
    for sku, cents in rng.sample(_PRODUCTS, rng.choice((1, 1, 2))):
        quantity = rng.choice((1, 1, 1, 2, 3))
        total += cents * quantity
        line = {"sku": {"S": sku}, "quantity": {"N": str(quantity)}, "price": {"N": money(cents)}}
        lines.append({"M": line})
    address = {
        "street": {"S": f"{rng.choice(_STREETS)} {rng.randrange(1, 200)}"},
        "postcode": {"S": f"{rng.randrange(1_000, 99_999):05}"},
        "city": {"S": rng.choice(_CITIES)},
    }
    return {
        "customer": {"S": f"customer#{customer:06}"},
        "order": {"S": f"order#{created_at[:10]}#{number:07}"},
        "created_at": {"S": created_at},
        "status": {"S": status},
        "status_day": status_day(status, created_at),
        "total": {"N": money(total)},
        "currency": {"S": rng.choice(_CURRENCIES)},
        "lines": {"L": lines},
        "address": {"M": address},
        "tags": {"SS": rng.sample(_TAGS, rng.choice((1, 2, 2, 3)))},
        "revision": {"N": "1"},
    }


def make_orders(count: int, seed: int) -> list[Item]:
    """`count` orders, sorted by key. A few customers order often, most of them rarely.

    moto sorts its whole table for each Query, which is fastest for items that are sorted already.
    """
    rng = Random(seed)
    customers = customer_count(count)
    loyal = Zipf(rng, range(1, customers + 1), exponent=0.5)
    # Each customer has at least one order, so that the table has items for each customer of the workload.
    owners = [*range(1, customers + 1), *(loyal.draw() for _ in range(count - customers))]
    rng.shuffle(owners)
    made = (make_order(rng, owner, number) for number, owner in enumerate(owners, start=1))
    return sorted(made, key=lambda order: (order["customer"]["S"], order["order"]["S"]))


def customer_count(orders: int) -> int:
    return max(1, orders // ORDERS_PER_CUSTOMER)


def by_customer(orders: Iterable[Item]) -> dict[str, list[Item]]:
    """The orders of each customer, the latest first."""
    found: dict[str, list[Item]] = defaultdict(list)
    for order in orders:
        found[order["customer"]["S"]].append(order)
    for owned in found.values():
        owned.sort(key=lambda order: str(order["order"]["S"]), reverse=True)
    return dict(found)
