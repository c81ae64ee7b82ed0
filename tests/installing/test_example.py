"""The example that knows nothing of daxlite, by itself and under `daxlite run`."""

from tests.run_example import run_example

SAYS = """\
a Table: 42, from {source}
a client of another library: {{'N': '42'}}, from {source}
after a write: 43, from {source}
that library again: {{'N': '43'}}, from {source}
"""


def test_by_itself_it_asks_dynamodb(embedded: str) -> None:
    assert run_example("plain_program.py", embedded, "daxlite-plain") == ("", SAYS.format(source="DynamoDB"))


def test_under_daxlite_run_it_is_answered_from_the_cache(embedded: str) -> None:
    answered = run_example("plain_program.py", embedded, "daxlite-covered", under=["-m", "daxlite", "run", "--"])
    assert answered == ("", SAYS.format(source="Hit from daxlite"))
