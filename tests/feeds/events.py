"""Events of DynamoDB streams, as Lambda brings them, and what comes of them."""

from typing import Any

from daxlite.feeds.aws_lambda import LambdaHandler
from daxlite.feeds.stats import FeedStats
from daxlite.shared.following import Announcement, announced
from tests.feeds.shop import Shop

DONE: dict[str, Any] = {"batchItemFailures": []}


def event(*records: Any) -> dict[str, Any]:
    return {"Records": list(records)}


def failed(record: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}


def counts(handler: LambdaHandler) -> FeedStats:
    (found,) = handler.stats().values()
    return found


def announcement(shop: Shop) -> Announcement | None:
    """What stands in Redis for the writers."""
    keys = shop.server.keys("follower")
    return announced(shop.server.data[keys[0]][0]) if keys else None
