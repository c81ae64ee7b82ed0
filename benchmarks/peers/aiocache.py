"""aiocache, which is for asyncio."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from urllib.parse import urlsplit

from benchmarks.peers.revenue import DAY, EXPECTED, revenue


@contextlib.contextmanager
def hit(url: str, run: Callable[[Awaitable[object]], object]) -> Iterator[Callable[[], Awaitable[object]]]:
    from aiocache import Cache, cached  # type: ignore[import-untyped]
    from aiocache.serializers import JsonSerializer  # type: ignore[import-untyped]

    address = urlsplit(url)

    @cached(  # type: ignore[untyped-decorator]
        ttl=3600,
        cache=Cache.REDIS,
        serializer=JsonSerializer(),
        endpoint=address.hostname,
        port=address.port,
        namespace="aiocache",
    )
    async def compute(day: str) -> dict[str, float]:
        return revenue(day)

    call = partial(compute, DAY)
    try:
        assert run(call()) == run(call()) == EXPECTED
        yield call
    finally:
        run(compute.cache.close())  # type: ignore[attr-defined,unused-ignore]
