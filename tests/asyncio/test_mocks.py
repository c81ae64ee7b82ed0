"""A client for asyncio heeds the same switch, and the same mocks, as one for threads."""

import asyncio
from contextlib import nullcontext
from typing import Any

from aiobotocore.session import get_session
from aiobotocore.stub import AioStubber

import daxlite
from daxlite import Cache, CacheConfig
from daxlite.testing import disabled, enabled
from tests.scripted_client import KEY, TABLE

HERE: Any = {"region_name": "eu-west-1", "aws_access_key_id": "AKIA", "aws_secret_access_key": "-"}


def test_a_stubber_answers_each_call_unless_caching_is_enabled() -> None:
    cache = Cache(CacheConfig(settle_window=0))

    async def read() -> list[Any]:
        async with get_session().create_client("dynamodb", **HERE) as raw:
            client = daxlite.wrap(raw, cache)
            with AioStubber(raw) as stubber:
                for each in "1234":
                    stubber.add_response("get_item", {"Item": {**KEY, "v": {"S": each}}})
                seen = []
                for block in (nullcontext(), disabled(), nullcontext(), enabled(), enabled()):
                    with block:
                        seen.append((await client.get_item(TableName=TABLE, Key=KEY))["Item"]["v"]["S"])
        return seen

    assert asyncio.run(read()) == ["1", "2", "3", "4", "4"]
    assert cache.stats().tables[TABLE]["item"].bypasses == {"mocked": 2, "disabled": 1}
