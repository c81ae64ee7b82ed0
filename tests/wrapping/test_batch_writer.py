"""Batches and transactions of resources: native values, and what they leave in the cache."""

from collections.abc import Iterator
from typing import Any

import pytest

import daxlite
from tests.differential.tables import attributes, keys
from tests.responses import is_hit
from tests.simulator import Simulator, faults

TABLE = "Orders"


@pytest.fixture(scope="module")
def simulated() -> Iterator[tuple[Simulator, Any]]:
    """A simulator and a resource of it, which is slow to make."""
    simulator = Simulator()
    resource = simulator.resource()
    yield simulator, resource
    resource.meta.client.close()


@pytest.fixture
def simulator(simulated: tuple[Simulator, Any]) -> Simulator:
    simulator, resource = simulated
    simulator.reset()
    resource.meta.client.create_table(
        TableName=TABLE,
        KeySchema=keys("pk", "sk"),
        AttributeDefinitions=attributes(pk="S", sk="N"),
        BillingMode="PAY_PER_REQUEST",
    )
    return simulator


@pytest.fixture
def table(simulator: Simulator, simulated: tuple[Simulator, Any]) -> Any:
    """A wrapped table."""
    return daxlite.wrap(simulated[1]).Table(TABLE)


def get(table: Any, number: int, *, hit: bool) -> Any:
    found = table.get_item(Key={"pk": "a", "sk": number})
    assert is_hit(found) is hit
    return found.get("Item")


def test_a_batch_writer_leaves_what_it_wrote(table: Any) -> None:
    table.put_item(Item={"pk": "a", "sk": 1, "v": 1})
    with table.batch_writer() as batch:
        batch.put_item(Item={"pk": "a", "sk": 1, "v": 2, "labels": {"x"}})
        batch.delete_item(Key={"pk": "a", "sk": 2})
    assert get(table, 1, hit=True) == {"pk": "a", "sk": 1, "v": 2, "labels": {"x"}}
    assert get(table, 2, hit=True) is None


def test_p9_a_batch_writer_sends_again_what_was_not_processed(simulator: Simulator, table: Any) -> None:
    simulator.faults.append(faults.Fault(faults.unprocessed(), {"BatchWriteItem"}))
    with table.batch_writer() as batch:
        batch.put_item(Item={"pk": "a", "sk": 1, "v": 2})
    assert get(table, 1, hit=True) == {"pk": "a", "sk": 1, "v": 2}
    sent = [call.operation for call in simulator.history.calls]
    assert sent.count("BatchWriteItem") == 2


def test_p9_what_was_not_processed_leaves_no_entry(simulator: Simulator, table: Any) -> None:
    table.put_item(Item={"pk": "a", "sk": 3})
    simulator.faults.append(faults.Fault(faults.unprocessed(_is_one_or_three), {"BatchWriteItem"}))
    puts = [{"PutRequest": {"Item": {"pk": "a", "sk": number, "v": 2}}} for number in (1, 2)]
    delete = {"DeleteRequest": {"Key": {"pk": "a", "sk": 3}}}
    table.meta.client.batch_write_item(RequestItems={TABLE: [*puts, delete]})
    assert get(table, 1, hit=False) is None
    assert get(table, 2, hit=True) == {"pk": "a", "sk": 2, "v": 2}
    assert get(table, 3, hit=False) == {"pk": "a", "sk": 3}


def _is_one_or_three(table: str, part: Any) -> bool:
    key = part["PutRequest"]["Item"] if "PutRequest" in part else part["DeleteRequest"]["Key"]
    return key["sk"] in ({"N": "1"}, {"N": "3"})


def test_p9_a_token_that_is_used_again_writes_nothing(table: Any) -> None:
    def transact(version: int, **token: str) -> None:
        put = {"Put": {"TableName": TABLE, "Item": {"pk": "a", "sk": 1, "v": version}}}
        table.meta.client.transact_write_items(TransactItems=[put], **token)

    transact(1, ClientRequestToken="t")
    transact(2)
    assert get(table, 1, hit=True)["v"] == 2
    transact(1, ClientRequestToken="t")
    assert get(table, 1, hit=False)["v"] == 2
