"""The packages beside which daxlite is installed, each in an environment of its own."""

from typing import Final, NamedTuple


class Neighbour(NamedTuple):
    """A package that a program has beside daxlite."""

    name: str
    requirements: tuple[str, ...]
    way: str
    """How `smoke.py` reaches DynamoDB there."""


NEIGHBOURS: Final = (
    Neighbour("boto3", ("boto3",), "boto3"),
    Neighbour("aiobotocore", ("aiobotocore",), "aiobotocore"),
    Neighbour("aiobotocore 2.25", ("aiobotocore==2.25.*",), "aiobotocore"),
    Neighbour("aioboto3", ("aioboto3",), "aioboto3"),
    Neighbour("pynamodb", ("pynamodb",), "pynamodb"),
    Neighbour("powertools", ("aws-lambda-powertools",), "powertools"),
    Neighbour("opentelemetry", ("opentelemetry-instrumentation-botocore",), "opentelemetry"),
    Neighbour("wrapt 1.17", ("wrapt==1.17.*",), "boto3"),
    Neighbour("wrapt 1.17 with aiobotocore", ("wrapt==1.17.*", "aiobotocore"), "aiobotocore"),
    Neighbour("wrapt 2", ("wrapt==2.*", "aiobotocore"), "aiobotocore"),
)
