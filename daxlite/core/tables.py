"""Which table a request means, and where a change of it is felt.

A table has an *identity* and a *place*. Two requests may share an answer only if their tables have one identity:
endpoint, region, account, name, and the principal for whom the application asks, if it names one. A change is felt at a
place, which is coarser: the region and the name at AWS, the name alone at any other endpoint. So an answer never leaks
from one account to another, nor from one principal to another, and a change reaches the table by whichever endpoint,
credentials or ARN another client knows it.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from .not_cacheable import NotCacheable

_ARN: Final = re.compile(r"arn:[^:]+:dynamodb:(?P<region>[^:]+):(?P<account>\d+):table/(?P<name>[^/:]+)", re.ASCII)

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}", re.ASCII)

NAME_RULE: Final = "letters, digits, '_', '-' and '.' (patterns are not supported)"
"""What a table's name may have, for messages."""

AWS: Final = "aws"
"""Stands for every endpoint of AWS's own: public, dual-stack, FIPS, VPC and account-based ones."""

MOCKED: Final = "mocked"
"""Stands for the mocks of this process that answer in DynamoDB's place; see `edges.mocks`. What they answer is not
kept."""

# What tells DynamoDB's own endpoints from other hosts at AWS, such as a load balancer in front of another server.
_SERVICE: Final = re.compile(r"(.+\.)?(search-)?(dynamodb|ddb)(-fips)?\..+", re.ASCII)
# The DNS suffixes of AWS's partitions, dual-stack ones included; a test holds them against botocore's list.
_AWS_SUFFIXES: Final = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".api.amazonwebservices.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
    ".api.aws.ic.gov",
    ".api.aws.scloud",
    ".api.cloud-aws.adc-e.uk",
    ".api.aws.hci.ic.gov",
)


def canonical_endpoint(url: str) -> str:
    """One name for each place that answers: AWS for all endpoints of DynamoDB's own, else the URL itself.

    >>> canonical_endpoint("https://dynamodb-fips.us-east-1.amazonaws.com"), canonical_endpoint("http://localhost:8000")
    ('aws', 'http://localhost:8000')
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return url
    return AWS if host.endswith(_AWS_SUFFIXES) and _SERVICE.fullmatch(host) else url


def mock_endpoint(name: str) -> str:
    """The endpoint of one mock of which the answers are kept, for as long as it lasts. name: no other mock has it.

    >>> is_mocked(mock_endpoint("1")), is_mocked(MOCKED), is_mocked(AWS)
    (True, True, False)
    """
    return f"{MOCKED} {name}"


def is_mocked(endpoint: str) -> bool:
    """Whether a mock answers there. endpoint: in its canonical form."""
    return endpoint.startswith(MOCKED)


class Scope(NamedTuple):
    """Where a client's table names are looked up."""

    endpoint: str
    """In its canonical form, see `canonical_endpoint`."""
    region: str
    credentials: object
    """Anything hashable that is equal for the same credentials only."""
    account: str | None = None
    """The AWS account of the credentials, where it is known."""
    principal: str | None = None
    """For whom the application asks, by a name of its own."""
    only: frozenset[str] | None = None
    """The names of the tables that this client is answered from the cache; None for all."""

    def __repr__(self) -> str:
        return f"<scope: {self.endpoint}, {self.region}>"  # without the credentials, which are not for logs


class Place(Struct, frozen=True, cache_hash=True):
    """Where a change of a table is felt. Tables at one place are invalidated together."""

    region: str
    """The region at AWS; empty for other endpoints."""
    name: str


class TableId(Struct, frozen=True, cache_hash=True):
    """The identity of a table."""

    endpoint: str
    region: str
    owner: object
    """("account", id) where it is known, else ("credentials", token)."""
    name: str
    principal: str | None = None
    """For whom the application asks, by a name of its own; answers for another one are not shared."""
    is_off: bool = False
    """Whether it is a table for clients that are not answered from the cache. Their writes count all the same."""

    def __repr__(self) -> str:
        return f"<table: {self.name}, {self.region}, {self.endpoint}>"  # without the owner, which may be credentials

    @property
    def account(self) -> str | None:
        """The table's AWS account, where it is known: an ARN named the table, DescribeTable told it, or the client's
        credentials do.

        >>> TableId(AWS, "eu-west-1", ("account", "1"), "T").account, TableId(AWS, "eu-west-1", (), "T").account
        ('1', None)
        """
        match self.owner:
            case ("account", str(account)):
                return account
        return None

    @property
    def place(self) -> Place:
        """Where a change of this table is felt.

        >>> TableId(AWS, "eu-west-1", ("account", "1"), "Orders").place
        Place(region='eu-west-1', name='Orders')
        """
        return Place(region_of(self.endpoint, self.region), self.name)


def region_of(endpoint: str, region: str) -> str:
    """The region of a place: the one at AWS, and at a mock of it, none elsewhere. endpoint: in its canonical form."""
    return region if endpoint == AWS or is_mocked(endpoint) else ""


def table_id(scope: Scope, name_or_arn: str) -> TableId:
    """The table that a TableName means: a name, or an ARN, which may be of another account or region.

    >>> scope = Scope(AWS, "eu-west-1", "AKIA", account="123456789012")
    >>> arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"
    >>> table_id(scope, arn) == table_id(scope, "Orders")
    True
    """
    id = _identity(scope, name_or_arn)
    return id if scope.only is None or id.name in scope.only else replace(id, is_off=True)


def _identity(scope: Scope, name_or_arn: str) -> TableId:
    if not isinstance(name_or_arn, str) or not name_or_arn:
        raise NotCacheable("table name")
    if name_or_arn.startswith("arn:"):
        arn = _ARN.fullmatch(name_or_arn)
        if arn is None:
            raise NotCacheable("table ARN")
        return TableId(scope.endpoint, arn["region"], ("account", arn["account"]), arn["name"], scope.principal)
    owner = ("account", scope.account) if scope.account is not None else ("credentials", scope.credentials)
    return TableId(scope.endpoint, scope.region, owner, name_or_arn, scope.principal)


def is_table_name(name: str) -> bool:
    """Whether DynamoDB allows such a name. Some servers take shorter ones than DynamoDB itself, so does this.

    >>> is_table_name("Orders-2026.v1"), is_table_name("Orders*")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def region_and_name(name_or_arn: str) -> tuple[str | None, str]:
    """The region in an ARN, or None for a bare name, and the table's name.

    >>> region_and_name("arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"), region_and_name("Orders")
    (('eu-west-1', 'Orders'), (None, 'Orders'))
    """
    arn = _ARN.fullmatch(name_or_arn)
    return (arn["region"], arn["name"]) if arn else (None, name_or_arn)


def account_of(table_arn: str) -> str | None:
    """The account in a table's ARN."""
    arn = _ARN.fullmatch(table_arn)
    return arn["account"] if arn else None


def made_of(description: Mapping[str, Any]) -> tuple[str, ...]:
    """What tells a table from another one that had its name before: its id and the moment at which it was made.

    description: the `Table` of a DescribeTable response. Some servers have no ids.

    >>> made_of({"TableId": "7c1d"})
    ('7c1d', '')
    """
    moment = description.get("CreationDateTime")
    # As text a moment would depend on the host's time zone.
    return str(description.get("TableId") or ""), str(
        moment.timestamp() if isinstance(moment, datetime) else moment or ""
    )
