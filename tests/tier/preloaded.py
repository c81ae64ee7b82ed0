"""What the server of processes imports once for all of them."""

import asyncio
import contextlib

import boto3
import redis  # noqa: F401

import tests.tier.soaking
import tests.tier.worker  # noqa: F401

_CONNECTION = {
    "region_name": "us-east-1",
    "endpoint_url": "http://127.0.0.1:9",
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
}


async def _make() -> None:
    async with get_session().create_client("dynamodb", **_CONNECTION):
        pass


# botocore reads its models, and keeps them with the module of the loader.
boto3.client("dynamodb", **_CONNECTION).close()  # type: ignore[call-overload]
with contextlib.suppress(ImportError):  # it allows a few versions of botocore at a time
    from aiobotocore.session import get_session

    asyncio.run(_make())
