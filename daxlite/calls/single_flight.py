"""Single flight: readers of the same thing ask DynamoDB once."""

from ..cache.flights import MAX_WAIT, ReadFlight
from ..core.steps import Steps, Wait
from .context import Context


def follow_leader(context: Context, flight: ReadFlight, leader: ReadFlight) -> Steps[bytes | None]:
    """The encoded answer of the read that is in flight for the same thing; or None, and the follower's own flight has
    started.

    A follower whose leader failed goes on alone. If DynamoDB is down, all followers learn it at once, not one after the
    other. Where the leader was cancelled, or interrupted, one of its followers leads the others.
    """
    following: ReadFlight | None = leader
    while following is not None:
        answer = yield from answer_of(context, following)
        if answer is not None:
            context.cache.count_joined(flight)
            return answer
        if not following.is_abandoned:
            flight.start()
            return None
        following = flight.start_or_follow()
    return None


def answer_of(context: Context, leader: ReadFlight) -> Steps[bytes | None]:
    """What a leader has read, encoded, once its flight has landed; None if it failed, takes too long, or is a task that
    this caller keeps from going on."""
    if leader.latch is not None and not (context.is_blocking and leader.goes_on_here):
        yield Wait(leader.latch, MAX_WAIT)
    return leader.answer
