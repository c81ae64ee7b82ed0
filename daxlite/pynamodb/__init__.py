"""PynamoDB's models and connections, answered from a cache. Needs PynamoDB 6 or newer."""

from . import _requires as _requires
from .wrapping import wrap

__all__ = ["wrap"]
