"""Random interleavings for any length of time: `make soak`, or `python -m tests.interleavings.soak --seconds 600`.

Each round has a seed, which is printed; `--seed N --rounds 1` replays it.
"""

from __future__ import annotations

import argparse
import itertools
import secrets
import sys
import time

import hypothesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interleavings.interleaving import Interleaving
from tests.interleavings.oracle import check
from tests.interleavings.programs import READS, Program, programs

EXAMPLES = 300


def soak_round(interleaving: Interleaving, seed: int) -> None:
    """Run `EXAMPLES` interleavings, half of them with faults. Raises AssertionError for the first that is wrong."""
    for with_faults in (False, True):

        @hypothesis.seed(seed)
        @settings(max_examples=EXAMPLES // 2, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(data=st.data(), program=programs(READS, with_faults=with_faults))
        def interleave(data: st.DataObject, program: Program) -> None:
            check(interleaving, data, program)

        interleave()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="the seed of the first round (default: a random one)")
    parser.add_argument("--rounds", type=int, help=f"the most rounds, of {EXAMPLES} interleavings each")
    asked = parser.parse_args()
    first = asked.seed if asked.seed is not None else secrets.randbelow(2**32)
    interleaving = Interleaving()
    end = time.monotonic() + asked.seconds
    for done in itertools.count():
        if time.monotonic() >= end or done == asked.rounds:
            print(f"{done * EXAMPLES} interleavings, all of them right")
            return 0
        print(f"seed {first + done}", flush=True)
        try:
            soak_round(interleaving, first + done)
        except BaseException:
            print(f"replay with: python -m tests.interleavings.soak --rounds 1 --seed {first + done}", file=sys.stderr)
            raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
