"""cashews, which is for asyncio."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from benchmarks.peers.revenue import DAY, EXPECTED, revenue


@contextlib.contextmanager
def hit(url: str, run: Callable[[Awaitable[object]], object]) -> Iterator[Callable[[], Awaitable[object]]]:
    from cashews import Cache

    cache = Cache()
    cache.setup(url, client_side=False)

    @cache(ttl="1h")
    async def compute(day: str) -> dict[str, float]:
        return revenue(day)

    call = partial(compute, DAY)
    try:
        assert run(call()) == run(call()) == EXPECTED
        yield call
    finally:
        run(cache.close())
