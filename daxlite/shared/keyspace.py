"""The names of keys and of the channel in Redis: a namespace, a digest and a kind."""

import re
from typing import Final

from ..core.checks import shown

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Keyspace:
    """The names in one namespace. All parts but the namespace have a fixed form, so no two names are the same.

    All keys of one digest are in one slot of a cluster: the digest is the hash tag, in braces.

    >>> Keyspace("shop").value(bytes(4))
    'shop:daxlite:{00000000}:value'
    """

    def __init__(self, namespace: str, server: object = None) -> None:
        if not isinstance(namespace, str):
            raise TypeError(f"namespace is {shown(namespace)}; it must be a string")
        if not _NAMESPACE.fullmatch(namespace):
            raise ValueError(
                f"namespace is {shown(namespace)}; it must have 1 to 64 letters, digits, dots, dashes or underscores, "
                "and begin with a letter or digit"
            )
        self.namespace: Final = namespace
        self.identity: Final = (namespace, server)
        """Equal for two keyspaces of one server and one namespace. The server is compared as it was given."""
        self._prefix = f"{namespace}:daxlite:"
        self.channel: Final = f"{self._prefix}changes"
        """The channel on which changes are published."""

    def value(self, digest: bytes) -> str:
        """The key of a result."""
        return f"{self._prefix}{{{digest.hex()}}}:value"

    def lock(self, digest: bytes) -> str:
        """The key of the lock of a result, which the process that computes it holds."""
        return f"{self._prefix}{{{digest.hex()}}}:lock"

    def stamp(self, tag: bytes) -> str:
        """The key of the stamp of a tag."""
        return f"{self._prefix}{{{tag.hex()}}}:stamp"
