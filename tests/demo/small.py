"""A demo run that is as small as it can be and still shows everything."""

from tests.volume import amount

SMALL = ("demo", "--items", str(amount("demo orders")), "--reads", str(amount("demo reads")), "--writes", "0.1")
