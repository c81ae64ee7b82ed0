"""Random histories of a stream, as many as asked for: `python -m tests.feeds.streams.soak --trees 100000`.

Each round has a seed, which is printed; `--seed N --trees 1` replays it.
"""

from __future__ import annotations

import argparse
import math
import secrets
import sys

import hypothesis
from hypothesis import HealthCheck, given, settings

from tests.feeds.streams.histories import History, histories, play

EXAMPLES = 5000


def soak_round(seed: int) -> None:
    """Play `EXAMPLES` histories. Raises AssertionError for the first that is wrong."""

    @hypothesis.seed(seed)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(history=histories())
    def check(history: History) -> None:
        play(history)

    check()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=100_000, help="how many histories (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="the seed of the first round (default: a random one)")
    asked = parser.parse_args()
    first = asked.seed if asked.seed is not None else secrets.randbelow(2**32)
    rounds = math.ceil(asked.trees / EXAMPLES)
    for seed in range(first, first + rounds):
        print(f"seed {seed}", flush=True)
        try:
            soak_round(seed)
        except BaseException:
            print(f"replay with: python -m tests.feeds.streams.soak --trees 1 --seed {seed}", file=sys.stderr)
            raise
    print(f"{rounds * EXAMPLES} histories of a stream, all of them read as they should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
