"""What things are called in Redis: a namespace, a digest and a kind."""

import re
from typing import Final

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Keyspace:
    """The keys of one namespace. All parts but the namespace have a fixed form, so no two things have one name.

    What belongs to one digest lies in one slot of a cluster: the digest stands in braces.

    >>> Keyspace("shop").value(bytes(4))
    'shop:daxlite:{00000000}:value'
    """

    def __init__(self, namespace: str, server: object = None) -> None:
        if not isinstance(namespace, str):
            raise TypeError(f"namespace is {namespace!r}; it must be a string")
        if not _NAMESPACE.fullmatch(namespace):
            raise ValueError(
                f"namespace is {namespace!r}; it must have 1 to 64 letters, digits, dots, dashes or underscores, "
                "and begin with a letter or digit"
            )
        self.namespace: Final = namespace
        self.place: Final = (namespace, server)
        """Equal where the same keys mean the same things: the namespace and what its server was given as."""
        self._prefix = f"{namespace}:daxlite:"
        self.channel: Final = f"{self._prefix}changes"
        """Where changes are published."""

    def value(self, digest: bytes) -> str:
        """Where a result stands."""
        return f"{self._prefix}{{{digest.hex()}}}:value"

    def lock(self, digest: bytes) -> str:
        """Where it stands who computes a result."""
        return f"{self._prefix}{{{digest.hex()}}}:lock"

    def stamp(self, tag: bytes) -> str:
        """Where the stamp of a tag stands."""
        return f"{self._prefix}{{{tag.hex()}}}:stamp"
