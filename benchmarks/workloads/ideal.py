"""What a perfect cache could answer: what the client was told before, if that is still true.

A read counts if its answer is what it was the last time that the client asked, within the TTL. Of an item the client
also knows what it wrote itself.
"""

from benchmarks.workloads.answers import Answer, Answers
from benchmarks.workloads.calls import Read


class Ideal:
    """A cache that is told by an oracle what has changed. ttl: in seconds."""

    def __init__(self, answers: Answers, ttl: float) -> None:
        self._answers = answers
        self._ttl = ttl
        self._seen: dict[str, tuple[float, Answer]] = {}

    def asks(self, read: Read, moment: float) -> bool:
        """The client asks. Returns whether the ideal cache answers."""
        answer = self._answers.now(read)
        seen = self._seen.get(read.name)
        self._seen[read.name] = moment, answer
        return seen is not None and moment - seen[0] <= self._ttl and seen[1].response == answer.response

    def writes(self, item: Read, moment: float) -> None:
        """The client writes; afterwards it knows what this read of the item would answer."""
        self._seen[item.name] = moment, self._answers.now(item)
