"""A demo run that is as small as it can be and still shows everything."""

from tests.volume import AMOUNTS, amount


def _at_least(of: str) -> int:
    return max(AMOUNTS[of], amount(of))


READS = _at_least("demo reads")
SMALL = ("demo", "--items", str(_at_least("demo orders")), "--reads", str(READS), "--writes", "0.1")
