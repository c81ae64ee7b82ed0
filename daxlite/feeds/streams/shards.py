"""The shards of a stream: a graph in which children follow their parents.

    parent  |== records ==| closed
    child                 |== records ==| closed
    child                 |== records ========= open

A child holds what happened after its parents, so it is read when all of them are done. A parent that is not known has
been trimmed, and counts as done; one that should be known is awaited. A description is put together from pages and may
contradict itself: a shard that is listed as open and has children was closed while it was listed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct


class Shard(Struct, frozen=True):
    """One shard, as it was last described."""

    id: str
    parents: tuple[str, ...] = ()
    is_closed: bool = False


def shard_of(described: Mapping[str, Any]) -> Shard:
    """The shard in a response of DescribeStream. Raises KeyError for what is none.

    >>> shard_of({"ShardId": "b", "ParentShardId": "a", "SequenceNumberRange": {"StartingSequenceNumber": "1"}})
    Shard(id='b', parents=('a',), is_closed=False)
    """
    parents = [described.get(name) for name in ("ParentShardId", "AdjacentParentShardId")]
    is_closed = "EndingSequenceNumber" in (described.get("SequenceNumberRange") or {})
    return Shard(described["ShardId"], tuple([parent for parent in parents if parent]), is_closed)


class ShardGraph:
    """The shards that are known, and which of them have been read to their ends.

    >>> graph = ShardGraph()
    >>> graph.add([Shard("child", ("parent",)), Shard("parent", ("trimmed",))])
    ['child', 'parent']
    >>> graph.readable()
    ['parent']
    >>> graph.finish("parent")
    >>> graph.readable()
    ['child']
    """

    def __init__(self) -> None:
        self.shards: dict[str, Shard] = {}
        self.done: set[str] = set()
        self.awaited: set[str] = set()
        """Shards that must be there, but that no description has listed so far: their parents are not known."""
        self._children: dict[str, set[str]] = {}

    def add(self, shards: Iterable[Shard]) -> list[str]:
        """Take over what was described. Returns the ids that had never been described."""
        new = []
        for shard in shards:
            if shard.id not in self.shards or shard.id in self.awaited:
                new.append(shard.id)
            self.shards[shard.id] = shard
            self.awaited.discard(shard.id)
            for parent in shard.parents:
                self._children.setdefault(parent, set()).add(shard.id)
        return new

    def wait_for(self, id: str) -> None:
        """A shard is there, though it is not listed."""
        if id not in self.shards:
            self.shards[id] = Shard(id)
            self.awaited.add(id)

    def finish(self, id: str) -> None:
        """A shard has been read to its end, or what is left of it is lost."""
        self.done.add(id)

    def forget(self, id: str) -> None:
        """A shard is not there any more. Its parents still have had a child."""
        shard = self.shards.pop(id)
        self.done.discard(id)
        self.awaited.discard(id)
        for parent in (id, *shard.parents):
            if parent not in self.shards:
                self._children.pop(parent, None)

    def children(self, id: str) -> set[str]:
        """The shards that are known to hold what happened after a shard."""
        return self._children.get(id, set())

    def is_closed(self, id: str) -> bool:
        """Whether no more records will be written to a shard."""
        shard = self.shards.get(id)
        return bool(self.children(id)) or (shard is not None and shard.is_closed)

    def unfinished(self) -> list[str]:
        """The shards that are not done."""
        return [id for id in self.shards if id not in self.done]

    def readable(self) -> list[str]:
        """Those of them whose parents are done, or unknown."""
        return [id for id in self.unfinished() if not self._waits(id)]

    def childless(self) -> list[str]:
        """The shards that are done and whose children are not listed yet: a stream goes on in children."""
        return [id for id in self.shards if id in self.done and not self.children(id)]

    def _waits(self, id: str) -> bool:
        return any(parent in self.shards and parent not in self.done for parent in self.shards[id].parents)
