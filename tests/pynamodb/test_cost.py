"""The page on PynamoDB tells what it costs."""

from tests.pynamodb.cost import PAGE, table


def test_the_page_has_the_costs() -> None:
    assert table() in PAGE.read_text(), "python -m tests.pynamodb.cost --write"
