"""cachetools around `get_item`: a decorator, and done. All callers share one object, no write invalidates it, there is
no TTL, and no key is too strange to be one."""

from functools import partial
from typing import Any

from cachetools import LRUCache, cached

from benchmarks.interleave import Call
from benchmarks.items import TABLE, key


def get_item(client: Any) -> Call:
    @cached(LRUCache(maxsize=10_000))  # type: ignore[untyped-decorator,unused-ignore]
    def read(pk: str, sk: str) -> Any:
        return client.get_item(TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}})

    typed = key()
    call = partial(read, typed["pk"]["S"], typed["sk"]["S"])
    call()
    return call
