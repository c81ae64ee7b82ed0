"""What `Cache.bulk` returns."""

from ..cache.memory import MemoryCache
from ..core.uncopied import Uncopied


class Bulk(Uncopied):
    """While many items of a table are written: enter it by `with`, or by `async with`, which does the same."""

    def __init__(self, memory: MemoryCache, name: str) -> None:
        """name: the table's."""
        self._memory = memory
        self._name = name
        self._entered: list[object] = []

    def __enter__(self) -> None:
        self._entered.append(self._memory.begin_bulk(self._name))

    def __exit__(self, *error: object) -> None:
        self._memory.end_bulk(self._entered.pop())

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        self.__exit__()
