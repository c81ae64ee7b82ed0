"""Changes from outside: what programs without the cache change in a table, as its stream tells it (promise P6)."""

from .aws_lambda import lambda_handler
from .errors import FeedError, StreamMissingError
from .follower import Follower, follow
from .stats import FeedStats

__all__ = ["FeedError", "FeedStats", "Follower", "StreamMissingError", "follow", "lambda_handler"]
