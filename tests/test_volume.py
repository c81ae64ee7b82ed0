"""The volume of the tests: `--volume` reaches every Hypothesis test."""

import re

from tests.removals.removal import ROOT

OF_ITS_OWN = re.compile(r"max_examples\s*=\s*\d")


def test_no_test_has_a_number_of_examples_of_its_own() -> None:
    """`--volume` would not scale it."""
    paths = [path for path in (ROOT / "tests").rglob("*.py") if OF_ITS_OWN.search(path.read_text(encoding="utf-8"))]
    assert not paths
