"""Random interleavings of processes that share a tier: `make soak`, or
`python -m tests.interleavings.soak_processes --rounds 20000`.

Each has a seed; `--seed N --rounds 1` replays one. Where more goes wrong than the promises cover, what breaks is
counted and does not fail.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.interleavings.fates import fate_of
from tests.interleavings.process_oracle import Tally, WrongError, check
from tests.interleavings.processes import Processes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20_000, help="how many interleavings (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first (default: %(default)s)")
    asked = parser.parse_args()
    world, tally, broken = Processes(), Tally(), Counter[str]()
    for seed in range(asked.seed, asked.seed + asked.rounds):
        fate = fate_of(seed)
        try:
            tally.note(check(world, seed), world)
        except WrongError as wrong:
            if fate.is_judged:
                print(
                    f"replay with: python -m tests.interleavings.soak_processes --rounds 1 --seed {seed}",
                    file=sys.stderr,
                )
                raise
            broken[f"{fate.kind} {fate.trouble}"] += 1
            if asked.rounds == 1:
                print(wrong, *wrong.__notes__, sep="\n")
    print(f"{asked.rounds} interleavings; of those that are judged all are right\n{tally}")
    print(f"broken, where more goes wrong than is covered: {dict(broken)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
