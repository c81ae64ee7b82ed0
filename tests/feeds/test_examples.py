"""The example of a follower does what it says."""

import os
import subprocess
import sys
from pathlib import Path

from tests.valkey import Valkey

EXAMPLE = Path(__file__).parents[2] / "examples" / "follow_a_table.py"

SAYS = """\
the follower: begun
the reader, from its cache: new
the wrapped writer changed it, which the tier tells at once: paid
another program changed it, and told nobody
the follower heard of it within seconds: shipped
the follower: ended as asked
"""


def test_the_example_does_what_it_says(moto_url: str, valkey: Valkey) -> None:
    aws = {
        "AWS_ENDPOINT_URL_DYNAMODB": moto_url,
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
