"""The two clients of a feed: that of the tables, and that of their streams."""

from typing import Any, Final

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from ..calls.context import Context
from ..calls.dialects import Typed
from ..core.checks import shown
from ..core.hidden import Hidden
from ..core.tables import AWS, canonical_endpoint
from ..edges.cache import Cache
from ..edges.client import CachingClient
from ..edges.scope import scope_of
from ..edges.wrapping import is_of_asyncio

_STREAMS: Final = frozenset({"DescribeStream", "GetShardIterator", "GetRecords"})


class Clients:
    """The clients of a feed, in one region, with one set of credentials."""

    def __init__(self, client: Any = None, session: Any = None, region: str | None = None) -> None:
        """client: a DynamoDB client, wrapped or not; session: a boto3.Session. The default session unless one of them
        is given. region: another one than theirs. Raises TypeError for anything else."""
        given = checked_client(client, session)
        if given is None:
            given = (session or boto3.Session()).client("dynamodb", region_name=region)
        elif region is not None and is_of_aws(given) and region != given.meta.region_name:
            given = _beside(given, "dynamodb", region)
        self.dynamodb = given
        self._streams: Any = None

    @property
    def streams(self) -> Any:
        """The client of the streams, which are another service with the same credentials."""
        if self._streams is None:
            self._streams = _beside(self.dynamodb, "dynamodbstreams", self.dynamodb.meta.region_name)
        return self._streams

    @property
    def may_filter(self) -> bool:
        """Whether this botocore knows the ShardFilter of DescribeStream."""
        operation = self.streams.meta.service_model.operation_model("DescribeStream")
        return "ShardFilter" in operation.input_shape.members

    def context(self, cache: Cache) -> Context:
        """What describes tables and applies changes of them to a cache."""
        return Context(cache._memory, Typed(), cache._memory.names(scope_of(self.dynamodb)), tier=cache._tier)

    def send(self, operation: str, params: dict[str, Any]) -> Any:
        """Send a call to the service that it is of."""
        client = self.streams if operation in _STREAMS else self.dynamodb
        return client._make_api_call(operation, params)


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
            known = self._known[region] = Clients(self._client, self._session, region)
        return known


def checked_client(client: Any, session: Any) -> Any:
    """The bare client, or None if none is given. Raises TypeError for what is not allowed."""
    if client is not None and session is not None:
        raise TypeError("give either a client or a session")
    if client is None:
        if session is not None and not issubclass(type(session), boto3.Session):
            raise TypeError(f"session is {shown(session)}; it must be a boto3.Session")
        return None
    given = client.__wrapped__ if issubclass(type(client), CachingClient) else client
    is_client = issubclass(type(given), BaseClient) and not is_of_asyncio(type(given))
    if not is_client or given.meta.service_model.service_name != "dynamodb":
        raise TypeError(f"client is {shown(client)}; it must be a boto3 DynamoDB client")
    return given


def is_of_aws(client: Any) -> bool:
    """Whether a client talks to AWS, and not to another server."""
    return canonical_endpoint(client.meta.endpoint_url) == AWS


def _beside(client: Any, service: str, region: str) -> Any:
    """A client of a service with the credentials and the settings of a DynamoDB client, and its endpoint where that is
    none of AWS's."""
    import botocore.session

    session: Any = botocore.session.Session()
    # botocore has no public way to ask a client for its credentials; the object itself, so that both are refreshed.
    session._credentials = client._request_signer._credentials
    made: Any = boto3.Session(botocore_session=session, region_name=region)
    return made.client(
        service,
        endpoint_url=None if is_of_aws(client) else client.meta.endpoint_url,
        config=client.meta.config.merge(Config(region_name=region)),
    )
