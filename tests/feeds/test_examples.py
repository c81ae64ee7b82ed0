"""The example of a follower does what it says."""

from tests.run_example import run_example
from tests.valkey import Valkey

SAYS = """\
the follower: begun
the reader, from its cache: new
the wrapped writer changed it, which the tier tells at once: paid
another program changed it, and told nobody
the follower heard of it within seconds: shipped
the follower: ended as asked
"""


def test_the_example_does_what_it_says(moto_url: str, valkey: Valkey) -> None:
    assert run_example("follow_a_table.py", moto_url, valkey.url) == ("", SAYS)
