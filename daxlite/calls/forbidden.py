"""What IAM forbids: said once for each table, with what it costs."""

import logging
from typing import Any, Final

from .outcomes import code_of
from .said_once import is_said_first

_logger: Final = logging.getLogger("daxlite")

WITHOUT_A_SCHEMA: Final = "any write to the table makes all of its cached queries stale"
WITHOUT_A_TTL: Final = "an item may be answered for as long as item_ttl after the moment in its TTL attribute"


def warn_of_unknown_account(cache: Any, table: str) -> None:
    """Log, once for a cache and a table, that its AWS account is not known."""
    if is_said_first(cache, ("account", table)):
        _logger.warning(
            "the AWS account of %s is not known, so nothing of it is read from or stored in Redis, and its writes are "
            "announced; allow dynamodb:DescribeTable, or give Shared(account=...)",
            table,
        )


def warn_if_forbidden(cache: Any, error: Exception, operation: str, table: str, consequence: str) -> None:
    """Log, once for a cache, a table and an operation, that credentials may not call it. cache: where that is noted."""
    if code_of(error) == "AccessDeniedException" and is_said_first(cache, (operation, table)):
        _logger.warning(
            "IAM forbids %s for %s, so %s; allow dynamodb:%s, or give a TableConfig with what it would tell",
            operation,
            table,
            consequence,
            operation,
        )
