"""The example of a Lambda function does what it says."""

import os
import subprocess
import sys
from pathlib import Path

from tests.valkey import Valkey

EXAMPLE = Path(__file__).parents[2] / "examples" / "lambda_follower.py"

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
    aws = {
        "AWS_ENDPOINT_URL_DYNAMODB": embedded,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE, valkey.url],
        env={**os.environ, **aws, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", SAYS)
