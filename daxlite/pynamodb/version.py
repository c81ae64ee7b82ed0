"""Whether daxlite knows the PynamoDB that is installed: the names by which it takes part in what PynamoDB does.

PynamoDB has no setting for the client that it sends requests with. All but one of these names are public.

    Connection.client       the client of botocore's through which each request goes
    Connection.dispatch     makes each request
    Model._get_connection   makes a model's connection when it is first used, and makes it anew
    Model.refresh           reads an object anew
"""

from collections.abc import Callable
from inspect import getattr_static
from typing import Any, Final

import pynamodb
from pynamodb.connection import Connection
from pynamodb.models import Model

OLDEST: Final = 6

_NAMES: Final[tuple[tuple[type, str, Callable[[Any], bool]], ...]] = (
    (Connection, "client", lambda found: isinstance(found, property)),
    (Connection, "dispatch", callable),
    (Model, "_get_connection", lambda found: isinstance(found, classmethod)),
    (Model, "refresh", callable),
)


def check_version() -> None:
    """Raise RuntimeError, with its version, for a PynamoDB that daxlite cannot take part in."""
    version = pynamodb.__version__
    if int(version.partition(".")[0]) < OLDEST:
        raise RuntimeError(
            f"PynamoDB {version} sends its requests past botocore's clients, so that they cannot be answered from a "
            f"cache; install PynamoDB {OLDEST} or newer"
        )
    for owner, name, is_known in _NAMES:
        if not is_known(getattr_static(owner, name, None)):
            raise RuntimeError(
                f"PynamoDB {version} is not known to this version of daxlite: {owner.__name__}.{name} is not what it "
                "was; use daxlite.install(), or an older PynamoDB"
            )
