"""The example of an aggregation does what it says."""

from tests.run_example import run_example
from tests.valkey import Valkey

SAYS = """\
    computing 2026-11-22
computed, once for all processes: {'c#0': Decimal('59.97'), 'c#1': Decimal('39.98')}
from Redis or this process: {'c#0': Decimal('59.97'), 'c#1': Decimal('39.98')}
another day changed, still there: {'c#0': Decimal('59.97'), 'c#1': Decimal('39.98')}
this day changed, so it is stale: None
    computing 2026-11-22
computed again: {'c#0': Decimal('64.97'), 'c#1': Decimal('39.98')}
    computing 2026-11-22
computed whatever there is: {'c#0': Decimal('64.97'), 'c#1': Decimal('39.98')}
dropped by hand: None
    asking for the rate
one rate for two calls: 11.73
    asking for the rate
another one: 11.73
revenue of a day: 3 computations, 1 hits
get_or_compute: 2 computations, 1 hits
Redis failed 0 times
"""


def test_the_example_does_what_it_says(embedded: str, valkey: Valkey) -> None:
    assert run_example("aggregations.py", embedded, valkey.url) == ("", SAYS)
