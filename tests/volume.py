"""How much the random and the heavy tests do.

`make test` does the amounts below, however long an example takes. `pytest --volume N` does N times as much, as
`make soak` does with N = 10: more examples of each Hypothesis test, more orders in the demo. A Hypothesis test that
states no number runs `EXAMPLES` examples.
"""

from typing import Final

from hypothesis import settings

EXAMPLES: Final = 50
AMOUNTS: Final = {
    "interleavings": 60,  # of each test of threads that share a client
    "fates of processes": 56,  # that share a tier, of each kind
    "orders of two threads": 30,  # that Hypothesis chooses for the scheduler's own test
    "programs beside a plain client": 10,  # each of up to 30 reads and writes
    "programs of the simulator": 10,  # that a server answers, too
    "updates of an item": 60,  # that the simulator makes, too
    "updates of an item by a server": 25,
    "orders of callers and writers": 200,  # of one result
    "programs of two processes": 30,  # each of up to 40 steps
    "commands of the local server": 100,  # on a few keys
    "commands of the scripted Redis": 30,  # lists of up to 30, which fakeredis answers, too
    "histories of a stream": 1000,  # each of up to 40 things that happen
    "hostile states": 150,  # each is given to all scripts, in an interpreter of Lua
    "pairs of calls of a function": 25,  # of each signature
    "results of an annotation": 25,  # of each
    "remembered requests": 80,  # of each kind
    "demo orders": 30,
    "demo reads": 120,
    "notes of a web service": 60,  # each posted to one worker and read from another
}

_volume = 1


def set_volume(volume: int) -> None:
    """Call this before any test module is imported: decorators take their amounts then."""
    global _volume
    _volume = volume
    settings.register_profile("volume", max_examples=EXAMPLES * volume, deadline=None)
    settings.load_profile("volume")


def is_short() -> bool:
    """Whether this is the short form, that of `make test`."""
    return _volume == 1


def amount(of: str, shared_by: int = 1) -> int:
    """The number in `AMOUNTS`, times the volume. shared_by: so many tests do it together."""
    return AMOUNTS[of] * _volume // shared_by
