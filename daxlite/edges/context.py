"""What the plans of calls need to know of a client."""

import os
from typing import Any, Final

from ..cache.switch import SWITCH
from ..calls.context import Context
from ..calls.dialects import dialect_of
from ..core.tables import Scope
from .cache import Cache
from .replies import attempts_of, what_was_sent

UNLIMITED: Final = 300.0
"""Seconds that stand for a timeout of a client that has none."""


def context_of(client: Any, cache: Cache, scope: Scope) -> Context:
    """The context of a client that answers from this cache what was read in this scope."""
    SWITCH.look(os.environ)  # a program may have set the variable since it imported daxlite
    return Context(
        cache._memory,
        dialect_of(client.meta),
        cache._memory.names(scope),
        what_was_sent,
        attempts_of,
        tier=cache._tier,
        record_lasts=record_lasts(client, cache.config.settle_window),
    )


def record_lasts(client: Any, settle_window: float) -> float:
    """Seconds for which a record of a write of this client's lasts: as long as one attempt may take, and the window."""
    config = client.meta.config
    timeouts = [getattr(config, name, None) or UNLIMITED for name in ("connect_timeout", "read_timeout")]
    return float(sum(timeouts)) + settle_window
