"""Single flight: readers of the same thing ask DynamoDB once."""

from collections.abc import Generator

from ..cache.flights import Flight
from .context import Context
from .steps import Response, Step, Wait


def follow_leader(context: Context, flight: Flight, leader: Flight) -> Generator[Step, Response, bytes | None]:
    """The encoded answer of the read that is under way for the same thing; or None, and the flight has started.

    A reader whose leader failed goes on alone: if DynamoDB is down, all of them learn it at once, not one after the
    other.
    """
    yield Wait(leader)
    if leader.answer is None:
        flight.start()
    else:
        context.cache.count_joined(flight)
    return leader.answer
