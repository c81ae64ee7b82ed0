"""The example of a Lambda function does what it says."""

from tests.run_example import run_example
from tests.valkey import Valkey

SAYS = """\
the service reads: 9.99
another program wrote 12.5, the service reads: 9.99
the function answers: {'batchItemFailures': []}
the function answers: {'batchItemFailures': []}
the service reads: 12.5
another program wrote 7, the service reads: 12.5
the function answers: {'batchItemFailures': []}
the service reads: 7
records: 3 of 1 table
"""


def test_the_example_does_what_it_says(embedded: str, valkey: Valkey) -> None:
    assert run_example("lambda_follower.py", embedded, valkey.url) == ("", SAYS)
