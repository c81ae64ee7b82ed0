"""From the TableName of a request to the table that it means."""

from collections.abc import Callable
from typing import Any

from ..core.tables import Scope, TableId, account_of, table_id
from .state import MAX_TABLES
from .table import Table


class TableNames:
    """The table names of one scope, which all clients of the same endpoint, region and credentials share."""

    def __init__(self, find: Callable[[TableId], Table], scope: Scope) -> None:
        self._find = find
        self._scope = scope
        self.known: dict[str, Table] = {}
        """By TableName as it was given, a name or an ARN."""

    def table(self, name: Any) -> Table:
        """The table that a request names. Raises NotCacheable for what is not a name."""
        try:
            return self.known[name]
        except (KeyError, TypeError):
            table = self._find(table_id(self._scope, name))
        if len(self.known) < MAX_TABLES:
            self.known[name] = table
        return table

    def id(self, name: Any) -> TableId:
        """Which table a request names, whether or not it is one of those that are remembered."""
        return table_id(self._scope, name)

    def learn_account(self, table: Table, arn: str) -> None:
        """Learn from the ARN of a table that was named without one whose the credentials are.

        From here on the tables are found under their account, where ARNs find them too. What was cached by name alone
        stays behind, and changes still reach it: the two may be the same.
        """
        account = account_of(arn)
        if account is None or self._scope.account is not None or table.id != table_id(self._scope, table.id.name):
            return
        self._scope = self._scope._replace(account=account)
        self.known = {}
