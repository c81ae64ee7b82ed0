"""Single flight: readers of the same thing ask DynamoDB once."""

from ..cache.flights import MAX_WAIT, ReadFlight
from ..core.steps import Steps, Wait
from .context import Context


def follow_leader(context: Context, flight: ReadFlight, leader: ReadFlight) -> Steps[bytes | None]:
    """The encoded answer of the read that is in flight for the same thing; or None, and the follower's own flight has
    started.

    A follower whose leader failed goes on alone. If DynamoDB is down, all followers learn it at once, not one after the
    other.
    """
    answer = yield from answer_of(leader)
    if answer is None:
        flight.start()
    else:
        context.cache.count_joined(flight)
    return answer


def answer_of(leader: ReadFlight) -> Steps[bytes | None]:
    """What a leader has read, encoded, once its flight has landed; None if it failed or takes too long."""
    if leader.latch is not None:
        yield Wait(leader.latch, MAX_WAIT)
    return leader.answer
