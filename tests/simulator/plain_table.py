"""The table that the simulator's own tests work on."""

from typing import Any

from tests.differential.tables import attributes, index, keys
from tests.simulator import Simulator


def make_plain_table(simulator: Simulator, client: Any) -> None:
    """Reset the simulator, and make the table "plain" with a global index "by-gk"."""
    simulator.reset()
    client.create_table(
        TableName="plain",
        KeySchema=keys("pk"),
        AttributeDefinitions=attributes(pk="S", gk="S"),
        GlobalSecondaryIndexes=[index("by-gk", "gk")],
        BillingMode="PAY_PER_REQUEST",
    )
