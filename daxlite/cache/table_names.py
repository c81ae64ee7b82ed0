"""From the TableName of a request to the table that it means."""

from collections.abc import Callable
from typing import Any

from ..core.tables import Place, Scope, TableId, account_of, is_mocked, region_of, table_id
from .regions import note_region
from .table import Table


class TableNames:
    """The table names of one scope, which all clients of one endpoint, region and credentials share."""

    def __init__(
        self, find: Callable[[TableId], Table], scope: Scope, remember: Callable[["TableNames", str, Table], None]
    ) -> None:
        """remember: puts a table into `known`, within the bounds of all scopes together."""
        note_region(region_of(scope.endpoint, scope.region))
        self._find = find
        self._remember = remember
        self._scope = scope
        self.is_mocked = is_mocked(scope.endpoint)
        """Whether a mock answers for these tables."""
        self.known: dict[str, Table] = {}
        """By TableName as it was given, a name or an ARN."""

    @property
    def scope(self) -> Scope:
        """The scope, with the account where that has been learned."""
        return self._scope

    def table(self, name: Any) -> Table:
        """The table that a request names. Raises NotCacheable for what is not a name."""
        try:
            return self.known[name]
        except (KeyError, TypeError):
            table = self._find(table_id(self._scope, name))
        self._remember(self, name, table)
        return table

    def place(self, name: Any) -> Place:
        """Where a change of the table is felt, whether or not the cache knows the table."""
        return table_id(self._scope, name).place

    def learn_account(self, table: Table, arn: str) -> None:
        """Learn the account of the credentials from the ARN of a table that was named without one.

        From here on the tables are found under their account, where ARNs find them too. Entries that were stored before
        stay behind, under the identity that was known then; changes still reach them, because the place is the same.
        """
        account = account_of(arn)
        if account is None or self._scope.account is not None or table.id != table_id(self._scope, table.id.name):
            return
        for each in (table, *self.known.values()):
            each.is_left = each.is_left or each.id.owner == table.id.owner
        self._scope = self._scope._replace(account=account)
        self.known = {}
