"""A DynamoDB client of aiobotocore or aioboto3 that answers from a cache."""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from .async_dispatcher import AsyncDispatcher
from .async_sending import async_call_checked, async_call_plainly
from .cache import Cache
from .client import CachingClient, caching_client
from .context import context_of
from .hooks import Hooks
from .replies import look_at
from .scope import scope_of
from .stand_in import StandIn


class AsyncCachingClient(CachingClient):
    """A stand-in for a client of aiobotocore. A hit does not suspend the task that asks."""

    async def __aenter__(self) -> Self:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(self, *exception: Any) -> Any:
        return await self.__wrapped__.__aexit__(*exception)


def wrap_async_client(client: Any, cache: Cache, principal: str | None = None) -> Any:
    """As `wrap_client`, for asyncio. The client may be used by tasks of one event loop, the cache by any number of
    loops and threads."""
    look_at(client)
    context = context_of(client, cache, scope_of(client, principal))
    context.is_blocking = False
    plain = partial(async_call_plainly, client)
    dispatcher = AsyncDispatcher(context, partial(async_call_checked, client), plain=plain, hooks=Hooks(client))
    return caching_client(client, dispatcher, cache, AsyncCachingClient)


class CachingCreator(StandIn):
    """A stand-in for what `session.client("dynamodb")` returns: `async with` enters it, and gives a wrapped client."""

    def __init__(self, creator: Any, cache: Cache, wrap: Callable[[Any], Any]) -> None:
        super().__init__(creator, cache)
        self._self_wrap = wrap

    async def __aenter__(self) -> Any:
        made = await self.__wrapped__.__aenter__()
        try:
            return self._self_wrap(made)
        except BaseException as error:
            await self.__wrapped__.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        return await self.__wrapped__.__aexit__(kind, error, traceback)
