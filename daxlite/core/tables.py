"""Which table a request means.

Two requests may share an answer only if their tables are *proven* to be the same; a change must reach every table
that is not *proven* to be another. Between the two lies a table known by its name under credentials whose account
nobody told us.
"""

import re
from typing import NamedTuple

from msgspec import Struct

from .not_cacheable import NotCacheable

_ARN = re.compile(r"arn:[^:]+:dynamodb:(?P<region>[^:]+):(?P<account>\d+):table/(?P<name>[^/:]+)", re.ASCII)


class Scope(NamedTuple):
    """Where a client's table names are looked up."""

    endpoint: str
    region: str
    credentials: object
    """Anything hashable that is equal for the same credentials only."""
    account: str | None = None
    """The AWS account of the credentials, where it is known."""


class TableId(Struct, frozen=True, cache_hash=True):
    """One table of the world."""

    endpoint: str
    region: str
    owner: object
    """("account", id) where it is known, else ("credentials", token)."""
    name: str

    @property
    def place(self) -> tuple[str, str]:
        """What every possible alias of this table has in common. Endpoints differ in their spelling."""
        return self.region, self.name


def table_id(scope: Scope, name_or_arn: str) -> TableId:
    """The table that a TableName means: a name, or an ARN, which may be of another account or region.

    >>> scope = Scope("https://dynamodb.eu-west-1.amazonaws.com", "eu-west-1", "AKIA", account="123456789012")
    >>> arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"
    >>> table_id(scope, arn) == table_id(scope, "Orders")
    True
    """
    if not isinstance(name_or_arn, str) or not name_or_arn:
        raise NotCacheable("table name")
    if name_or_arn.startswith("arn:"):
        arn = _ARN.fullmatch(name_or_arn)
        if arn is None:
            raise NotCacheable("table ARN")
        return TableId(scope.endpoint, arn["region"], ("account", arn["account"]), arn["name"])
    owner = ("account", scope.account) if scope.account is not None else ("credentials", scope.credentials)
    return TableId(scope.endpoint, scope.region, owner, name_or_arn)


def table_name(name_or_arn: str) -> str:
    """The name of a table, wherever it is.

    >>> table_name("arn:aws:dynamodb:eu-west-1:123456789012:table/Orders")
    'Orders'
    """
    arn = _ARN.fullmatch(name_or_arn)
    return arn["name"] if arn else name_or_arn


def account_of(table_arn: str) -> str | None:
    """The account in a table's ARN."""
    arn = _ARN.fullmatch(table_arn)
    return arn["account"] if arn else None


def may_be_same(one: TableId, other: TableId) -> bool:
    """Whether a change of one could be a change of the other."""
    if one is other:
        return True
    if one.place != other.place:
        return False
    return one.owner == other.owner or not (_has_account(one) and _has_account(other))


def _has_account(table: TableId) -> bool:
    return isinstance(table.owner, tuple) and table.owner[0] == "account"
