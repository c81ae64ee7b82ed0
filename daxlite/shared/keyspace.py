"""The names of keys and of channels in Redis: a namespace, digests and a kind."""

import re
from typing import Final

from ..core.checks import shown
from ..core.steps import Command
from .tags import EVERY_TABLE, SLOT_BYTES, TABLE_BYTES

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Keyspace:
    """The names in one namespace. All parts but the namespace have a fixed form, so no two names are the same.

    What stands in braces decides the slot of a cluster: a result and its lock share one, and so do states whose tags
    have one slot.

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
        self.channels: Final = f"{self._prefix}changes:*"
        """The pattern of all channels on which changes are published."""

    def value(self, digest: bytes) -> str:
        """The key of a result."""
        return f"{self._prefix}{{{digest.hex()}}}:value"

    def is_value(self, key: str) -> bool:
        """Whether this is the key of a result."""
        return key.endswith(":value")

    def lock(self, digest: bytes) -> str:
        """The key of the lock of a result, which the process that computes it holds."""
        return f"{self._prefix}{{{digest.hex()}}}:lock"

    def state(self, tag: bytes) -> str:
        """The key of the state of a shared tag."""
        slot, name = tag[TABLE_BYTES : TABLE_BYTES + SLOT_BYTES], tag[TABLE_BYTES + SLOT_BYTES :]
        return f"{self._prefix}{{{slot.hex()}}}:{name.hex()}:state"

    def value_of(self, tag: bytes, name: bytes) -> str:
        """The key of an answer that the state of a shared tag guards. Both lie in one slot."""
        slot, own = tag[TABLE_BYTES : TABLE_BYTES + SLOT_BYTES], tag[TABLE_BYTES + SLOT_BYTES :]
        return f"{self._prefix}{{{slot.hex()}}}:{own.hex()}:{name.hex()}"

    def channel(self, tag: bytes) -> str:
        """The channel on which changes of a shared tag are published: its table's."""
        return self.table_channel(tag[:TABLE_BYTES])

    def table_channel(self, table: bytes) -> str:
        """The channel of a table, named by the first 8 bytes of its tags."""
        return f"{self._prefix}changes:{table.hex()}"

    def follower(self, feed: bytes) -> str:
        """The key under which the follower of a stream says that there is one."""
        return f"{self._prefix}{feed.hex()}:follower"

    def checkpoint(self, feed: bytes) -> str:
        """The key of the position of the follower of a stream."""
        return f"{self._prefix}{feed.hex()}:checkpoint"

    def subscription(self, table: bytes) -> Command:
        """The command that subscribes to the channel of a table, or to all channels."""
        if table == EVERY_TABLE:
            return ("PSUBSCRIBE", self.channels)
        return ("SUBSCRIBE", self.table_channel(table))
