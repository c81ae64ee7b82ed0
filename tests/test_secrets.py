"""No key, password or content is in what an object shows of itself (P7)."""

import secrets
from typing import Any

import boto3
import pytest
import redis

import daxlite
from daxlite import aggregations
from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache
from daxlite.aggregations.engine.near import NearEntry
from daxlite.aggregations.stored_result import StoredResult
from daxlite.core.replies import BrokenReply
from daxlite.core.steps import Call, Run
from daxlite.shared.encryption import Encryptor

KEY = secrets.token_bytes(32)
SECRET = "s3cret-of-an-item"
URL = f"redis://user:{SECRET}@127.0.0.1:1/0"


def shown() -> dict[str, str]:
    config = AggregationConfig(encryption_keys=[KEY])
    client = boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="id",
        aws_secret_access_key=SECRET,
        aws_session_token=SECRET,
    )
    cache = daxlite.Cache()
    wrapped = daxlite.wrap(client, cache)
    threads, tasks = AggregationCache(URL, "shop", config), AsyncAggregationCache(URL, "shop", config)
    stored = StoredResult(SECRET.encode(), 0.0, 0.0, 0.0, 0.0, (b"tag",), (b"stamp",))

    def total(argument: str) -> str:
        return argument

    objects: list[Any] = [
        *(config, client, wrapped, cache, threads, tasks, threads.cached()(total), threads.stats()),
        *(threads.cached()(total).refresh, threads._connections, threads._connections.threads, threads._engine),
        *(threads._engine.store, threads._near, threads._outbox, threads._bus, tasks._connections.asyncio),
        *(Encryptor([KEY]), redis.Redis.from_url("redis://127.0.0.1:1")),
        *(stored, NearEntry(stored, (), 0, 0), Call("PutItem", {"Item": {"a": {"S": SECRET}}})),
        *(Run(threads._connections, (("SET", "key", SECRET.encode()),)), BrokenReply({"Item": {"a": {"S": SECRET}}})),
        daxlite.CacheConfig(),
    ]
    objects += [getattr(module, name) for module in (daxlite, aggregations) for name in module.__all__]
    for cache in (threads, tasks):
        cache._close()
    return {f"{number} {type(each).__name__}": f"{each!r} {each}" for number, each in enumerate(objects)}


def test_nothing_shows_a_secret() -> None:
    texts = shown()
    assert len(texts) > 40
    leaking = [name for name, text in texts.items() if SECRET in text or repr(KEY)[2:-1] in text or KEY.hex() in text]
    assert leaking == []


def test_a_wrong_config_is_not_repeated() -> None:
    with pytest.raises(TypeError) as raised:
        AggregationCache(URL, "shop", {"encryption_keys": [SECRET]})  # type: ignore[arg-type]
    assert SECRET not in str(raised.value)
