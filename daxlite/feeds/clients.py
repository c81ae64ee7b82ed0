"""The two clients of a feed: that of the tables, and that of their streams."""

import threading
from types import TracebackType
from typing import Any, Final, Self

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config

from ..calls.context import Context
from ..calls.dialects import Typed
from ..core.checks import shown
from ..core.hidden import Hidden
from ..core.tables import AWS, canonical_endpoint
from ..edges.cache import Cache
from ..edges.scope import scope_of
from ..edges.stand_in import StandIn
from ..edges.wrapping import is_of_asyncio

_STREAMS: Final = frozenset({"DescribeStream", "GetShardIterator", "GetRecords"})


class Pair(Hidden):
    """What the clients of a feed tell, of boto3 and for asyncio alike."""

    _dynamodb: Any = None
    _streams: Any = None

    @property
    def dynamodb(self) -> Any:
        """The client of the tables."""
        return self._dynamodb

    @property
    def streams(self) -> Any:
        """The client of their streams, which are another service with the same credentials."""
        return self._streams

    @property
    def may_filter(self) -> bool:
        """Whether this botocore knows the ShardFilter of DescribeStream."""
        operation = self.streams.meta.service_model.operation_model("DescribeStream")
        return "ShardFilter" in operation.input_shape.members

    def context(self, cache: Cache) -> Context:
        """What describes tables and applies changes of them to a cache."""
        return Context(cache._memory, Typed(), cache._memory.names(scope_of(self.dynamodb)), tier=cache._tier)

    def client_of(self, operation: str) -> Any:
        """The client of the service that an operation is of."""
        return self.streams if operation in _STREAMS else self.dynamodb


class Clients(Pair):
    """Clients of boto3, in one region. They are made when they are first asked for, in any thread; within `with`, by as
    many threads as like, they are there."""

    def __init__(self, client: Any = None, session: Any = None, region: str | None = None) -> None:
        """client: a DynamoDB client, wrapped or not; session: a boto3.Session. The default session unless one of them
        is given. region: another one than theirs. Raises TypeError for anything else."""
        self._given = checked_client(client, session)
        self._session = unwrapped(session)
        self._region = region
        self._lock = threading.RLock()

    @property
    def dynamodb(self) -> Any:
        """As `Pair` has it."""
        return self.made()._dynamodb

    def made(self) -> Self:
        """The same, with the client of the tables made. Raises botocore's errors."""
        with self._lock:
            if self._dynamodb is None:
                self._dynamodb = self._make()
        return self

    def _make(self) -> Any:
        given, region = self._given, self._region
        if given is None:
            return (self._session or boto3.Session()).client("dynamodb", region_name=region)
        if region is not None and is_of_aws(given) and region != given.meta.region_name:
            return beside(given, "dynamodb", region, botocore.session.Session())
        return given

    @property
    def streams(self) -> Any:
        """As `Pair` has it."""
        with self._lock:
            if self._streams is None:
                region = self.dynamodb.meta.region_name
                self._streams = beside(self.dynamodb, "dynamodbstreams", region, botocore.session.Session())
            return self._streams

    def send(self, operation: str, params: dict[str, Any]) -> Any:
        """Send a call to the service that it is of."""
        return self.client_of(operation)._make_api_call(operation, params)

    def __enter__(self) -> Self:
        return self.made()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        return None  # boto3's clients need not be closed, and a call that nobody waits for may be under way


class RegionalClients(Hidden):
    """The same in each region in which records may be written."""

    def __init__(self, client: Any = None, session: Any = None) -> None:
        """As `Clients`, which makes the clients later, once a record tells its region."""
        checked_client(client, session)
        self._client = client
        self._session = session
        self._known: dict[str | None, Clients] = {}

    def of(self, region: str | None) -> Clients:
        """The clients of a region; None for that of the client, or of the session."""
        known = self._known.get(region)
        if known is None:
            known = self._known[region] = Clients(self._client, self._session, region).made()
        return known


def checked_client(client: Any, session: Any) -> Any:
    """The bare client, or None if none is given. Raises TypeError for what is not allowed."""
    check_one_of(client, session)
    if client is None:
        kind = type(unwrapped(session))
        if session is not None and (not issubclass(kind, boto3.Session) or is_of_asyncio(kind)):
            raise TypeError(f"session is {shown(session)}; it must be a boto3.Session")
        return None
    given = unwrapped(client)
    if is_of_asyncio(type(given)) or not is_dynamodb_client(given):
        raise TypeError(f"client is {shown(client)}; it must be a boto3 DynamoDB client")
    return given


def check_one_of(client: Any, session: Any) -> None:
    """Raises TypeError where both are given."""
    if client is not None and session is not None:
        raise TypeError("give either a client or a session")


def is_dynamodb_client(given: Any) -> bool:
    """Whether a bare object is a client of DynamoDB."""
    return issubclass(type(given), BaseClient) and given.meta.service_model.service_name == "dynamodb"


def unwrapped(given: Any) -> Any:
    """What a client or a session was before it was wrapped."""
    # isinstance() would take a stand-in for what it stands for.
    return given.__wrapped__ if issubclass(type(given), StandIn) else given


def is_of_aws(client: Any) -> bool:
    """Whether a client talks to AWS, and not to another server."""
    return canonical_endpoint(client.meta.endpoint_url) == AWS


def beside(client: Any, service: str, region: str, session: Any) -> Any:
    """A client of a service with the credentials and the settings of a DynamoDB client, and its endpoint where that is
    none of AWS's.

    session: a new one of the same library, which makes it.
    """
    # botocore has no public way to ask a client for its credentials; the object itself, so that both are refreshed.
    session._credentials = client._request_signer._credentials
    # What that client knows of AWS need not be read from files once more, which takes a tenth of a second.
    session.register_component("data_loader", client._loader)
    return session.create_client(
        service,
        region_name=region,
        endpoint_url=None if is_of_aws(client) else client.meta.endpoint_url,
        config=client.meta.config.merge(Config(region_name=region)),
    )
