"""The examples with libraries that use DynamoDB do what they say."""

from tests.run_example import run_example

POWERTOOLS = """\
from DynamoDB: 11.73
another provider, from the cache: 11.73
force_fetch passes by Powertools' own cache: 11.73
and bypass() by daxlite's, too: 11.80
invalidated, for all: 11.80
    charging o#1
{'charged': 'o#1'}
{'charged': 'o#1'}
"""

FLASK = """\
{'basket': ['tea', 'cup']}
another browser: {'basket': []}
sessions were read 21 times; DynamoDB was asked 0 times
"""


def test_powertools(embedded: str) -> None:
    assert run_example("powertools.py", embedded, "daxlite-example") == ("", POWERTOOLS)


def test_sessions_of_flask(embedded: str) -> None:
    # Flask-Session asks for the time as Python 3.12 would not have it.
    utcnow = "::DeprecationWarning:flask_session.dynamodb.dynamodb"
    assert run_example("flask_sessions.py", embedded, "daxlite-example", ignored=utcnow) == ("", FLASK)
