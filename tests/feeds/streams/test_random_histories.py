"""The reader in random histories: shards that split, merge and are trimmed, faults of every kind, followers that die.

Each is judged as it goes on (see `judge`), and everything is read in the end.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.feeds.streams.histories import History, histories, play
from tests.volume import amount


@settings(max_examples=amount("histories of a stream"), suppress_health_check=list(HealthCheck))
@given(history=histories())
def test_history(history: History) -> None:
    play(history)
