"""The two clients of a feed for asyncio: of aiobotocore, or of aioboto3, which are the same."""

import asyncio
from contextlib import AsyncExitStack
from importlib import import_module
from types import TracebackType
from typing import Any, Final, Self

import boto3
from botocore.session import Session as BotocoreSession

from ..core.checks import shown
from ..edges.wrapping import is_of_asyncio
from .clients import Pair, beside, check_one_of, is_dynamodb_client, unwrapped

_DATA: Final = ("endpoints", "partitions", "sdk-default-configuration", "_retry")
_OF_A_SERVICE: Final = ("service-2", "endpoint-rule-set-1")
"""What botocore reads from files to make a client."""


class AsyncClients(Pair):
    """Clients in one region, with one set of credentials. They are there within `async with`, by as many tasks of one
    event loop as like; what the first of them makes the last one closes."""

    def __init__(self, client: Any = None, session: Any = None) -> None:
        """client: a DynamoDB client, wrapped or not; session: an aioboto3.Session, or one of aiobotocore. Raises
        TypeError for anything else."""
        check_one_of(client, session)
        self._given, self._session = unwrapped(client), unwrapped(session)
        kind = type(self._session)
        if session is not None and not (is_of_asyncio(kind) and issubclass(kind, boto3.Session | BotocoreSession)):
            raise TypeError(f"session is {shown(session)}; it must be a Session of aioboto3 or aiobotocore")
        if client is not None and not (is_of_asyncio(type(self._given)) and is_dynamodb_client(self._given)):
            raise TypeError(
                f"client is {shown(client)}; it must be a DynamoDB client, which is what "
                '`async with session.client("dynamodb")` gives'
            )
        self._lock = asyncio.Lock()
        self._users = 0
        self._made = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with self._lock:
            if not self._users:
                await self._make()
            self._users += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._users -= 1
        if not self._users and kind is not GeneratorExit:  # in which nothing can be awaited: the loop is gone
            await self._made.aclose()

    async def _make(self) -> None:
        async with AsyncExitStack() as making:
            self._dynamodb = self._given
            if self.dynamodb is None:
                # boto3's sessions have one of botocore's inside.
                session = getattr(self._session, "_session", self._session)
                await asyncio.to_thread(_read_files, session.get_component("data_loader"))
                self._dynamodb = await making.enter_async_context(session.create_client("dynamodb"))
            session = import_module("aiobotocore.session").AioSession()
            made = beside(self.dynamodb, "dynamodbstreams", self.dynamodb.meta.region_name, session)
            self._streams = await making.enter_async_context(made)
            self._made = making.pop_all()

    async def send(self, operation: str, params: dict[str, Any]) -> Any:
        """Send a call to the service that it is of."""
        return await self.client_of(operation)._make_api_call(operation, params)


def _read_files(loader: Any) -> None:
    """Have botocore's loader read what a client needs, and keep it: a fifth of a second, which no event loop has."""
    for name in _DATA:
        loader.load_data_with_path(name)
    for name in _OF_A_SERVICE:
        loader.load_service_model("dynamodb", name)
