"""What this process knows by the names that Redis has for it: which of its own tags a shared tag is."""

import threading
from collections.abc import Callable, Iterable
from typing import Final

from ..core.tags import Tag

NAME_OVERHEAD: Final = 570
"""What Python keeps for a tag, its name and their place in a dictionary, in bytes, twice: measured are 283, and half of
the known tags may be of what is not kept any more."""
LEAST: Final = 4096
"""So many tags are known before any is forgotten."""


class KnownTags:
    """The tags of all that this process keeps or is reading, by their shared names. A message about any other one
    concerns nothing here.

    is_used: whether something still depends on a tag.
    """

    def __init__(self, is_used: Callable[[Tag], bool]) -> None:
        self._is_used = is_used
        self._tags: dict[bytes, Tag] = {}
        self._leaving: dict[bytes, Tag] = {}
        """Those of which it is being found out whether they are used."""
        self._scans: dict[bytes, dict[Tag, None]] = {}
        self._limit = LEAST
        self.begin()

    def begin(self) -> None:
        """Go on in a child process."""
        self._sweeping = threading.Lock()

    def note(self, shared: bytes, tag: Tag) -> None:
        """Know a tag from here on."""
        tags = self._tags
        tags[shared] = tag
        while tags is not self._tags:  # another thread sorts these out just now, and may not have seen it
            tags = self._tags
            tags[shared] = tag
        if len(tags) >= self._limit:
            self._forget_unused()

    def note_scan(self, table: bytes, tag: Tag) -> None:
        """Know what a scan of a table, or of an index, depends on."""
        self._scans.setdefault(table, {})[tag] = None

    def get(self, shared: bytes) -> Tag | None:
        """The tag of that name, if anything here may depend on it."""
        # Twice, for it may have come back meanwhile from those that are being sorted out.
        return self._tags.get(shared) or self._leaving.get(shared) or self._tags.get(shared)

    def scans(self, tables: Iterable[bytes]) -> list[Tag]:
        """What the scans of these tables depend on."""
        return [tag for table in tables for tag in tuple(self._scans.get(table, ()))]

    def _forget_unused(self) -> None:
        """Keep those alone that are used, or noted meanwhile: a reader holds its tag before it notes it here."""
        if not self._sweeping.acquire(blocking=False):
            return
        try:
            for shared, tag in self._leaving.items():  # an exception of a signal handler's ended the last time
                self._tags.setdefault(shared, tag)
            self._leaving, self._tags = self._tags, {}
            for shared, tag in [*self._leaving.items()]:
                if self._is_used(tag):
                    self._tags.setdefault(shared, tag)
            self._leaving = {}
            self._limit = max(LEAST, 2 * len(self._tags))
        finally:
            self._sweeping.release()
