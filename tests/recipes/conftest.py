"""The table of the recipes."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.conftest import chosen_edges
from tests.differential.tables import attributes, index, keys
from tests.recipes.dynamodb import Relay, relay_to
from tests.recipes.recipe import REGION


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    needs_asyncio = collection_path.name == "test_fastapi.py"
    return True if needs_asyncio and "asyncio" not in chosen_edges(config) else None


@pytest.fixture
def dynamodb(embedded: str) -> Iterator[Relay]:
    """A server with the table and an order. `asked` is empty."""
    client = boto3.client(
        "dynamodb", endpoint_url=embedded, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_table(
        TableName="Orders",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=keys("pk"),
        AttributeDefinitions=attributes(pk="S", day="S"),
        GlobalSecondaryIndexes=[index("by_day", "day")],
    )
    client.put_item(TableName="Orders", Item={"pk": {"S": "o#1"}, "day": {"S": "2026-11-22"}, "total": {"N": "9.5"}})
    with relay_to(embedded) as relay:
        yield relay
    client.delete_table(TableName="Orders")
    client.close()
