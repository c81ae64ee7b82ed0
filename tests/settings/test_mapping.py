"""Settings in a mapping: each one can be said, and a wrong one is named by its path."""

import base64
import enum
import math
from dataclasses import fields
from datetime import timedelta
from typing import Any

import fakeredis
import pytest

from daxlite import Cache, CacheConfig, KeySchema, Shared, TableConfig, TableSchema
from daxlite.edges.settings.mapping import read

SECRET = "a-password"  # what no message may repeat
URL = f"redis://:{SECRET}@localhost:6379/0"
KEY = bytes(range(32))


def test_every_setting_can_be_said() -> None:
    config, shared = read(
        {
            "item_ttl": 1,
            "query_ttl": "none",
            "negative_ttl": 2.5,
            "expired_item_ttl": 0,
            "jitter": 0,
            "settle_window": 1,
            "index_settle_factor": 2,
            "max_bytes": "64 MiB",
            "max_entry_bytes": 1000,
            "query_invalidation": "exact",
            "tables": {
                "Orders-*": {
                    "enabled": False,
                    "shared": False,
                    "item_ttl": None,
                    "query_ttl": 3,
                    "negative_ttl": 4,
                    "expired_item_ttl": 5,
                    "schema": {
                        "key": ["pk", "sk"],
                        "global_indexes": {"by_day": "day", "by_two": {"hash": ["a", "b"], "range": ["c"]}},
                        "local_indexes": {"by_total": ["pk", "total"]},
                    },
                    "ttl_attribute": "expires",
                },
                "Users": TableConfig(schema=TableSchema(KeySchema.of("pk"))),
            },
            "shared": {
                "server": URL,
                "namespace": "shop",
                "local": False,
                "reads": False,
                "write_through": "cached",
                "account": "012345678901",
                "budget": 0.1,
                "require_for_writes": True,
                "outage_ttl": 1,
                "max_wait": 2,
                "proxy": True,
                "encryption_keys": [KEY.hex(), base64.b64encode(KEY).decode(), KEY],
                "compress_above": "1 KiB",
                "report": print,
                "report_every": 5,
            },
        }
    )
    schema = TableSchema(
        KeySchema.of("pk", "sk"),
        {"by_day": KeySchema.of("day"), "by_two": KeySchema(("a", "b"), ("c",))},
        {"by_total": KeySchema.of("pk", "total")},
    )
    table = TableConfig(
        enabled=False,
        shared=False,
        item_ttl=None,
        query_ttl=3,
        negative_ttl=4,
        expired_item_ttl=5,
        schema=schema,
        ttl_attribute="expires",
    )
    assert config == CacheConfig(
        item_ttl=1,
        query_ttl=None,
        negative_ttl=2.5,
        expired_item_ttl=0,
        jitter=0,
        settle_window=1,
        index_settle_factor=2,
        max_bytes=64 << 20,
        max_entry_bytes=1000,
        tables={"Orders-*": table, "Users": TableConfig(schema=TableSchema(KeySchema.of("pk")))},
    )
    expected = Shared(
        URL,
        "shop",
        local=False,
        reads=False,
        write_through="cached",
        account="012345678901",
        budget=0.1,
        require_for_writes=True,
        outage_ttl=1,
        max_wait=2,
        proxy=True,
        encryption_keys=[KEY] * 3,
        compress_above=1024,
        report=print,
        report_every=5,
    )
    assert shared is not None
    # Each setting differs from its default: one that is not read would show.
    for each in fields(Shared):
        assert getattr(shared, each.name) == getattr(expected, each.name) != each.default, each.name


def test_nothing_said_is_as_in_the_code() -> None:
    assert read({}) == (CacheConfig(), None)
    assert read({"shared": None}) == read({"shared": "none"}) == (CacheConfig(), None)


def test_what_is_made_in_code_stays_as_it_is() -> None:
    shared, server = Shared(URL), fakeredis.FakeRedis()
    assert read({"shared": shared})[1] is shared
    for given in (server, {"server": server}):
        made = read({"shared": given})[1]
        assert made is not None
        assert made.server is server


@pytest.mark.parametrize(
    ("text", "expected"),
    [("256 MiB", 256 << 20), ("1.5KiB", 1536), ("2 kB", 2000), ("3 GB", 3 * 10**9), ("7 B", 7), ("1 tib", 1 << 40)],
)
def test_sizes_have_units(text: str, expected: int) -> None:
    assert read({"max_bytes": text, "max_entry_bytes": 1})[0].max_bytes == expected


WRONG: list[tuple[Any, str]] = [
    (None, "mapping is None; it must be a mapping of settings, such as model_dump"),
    ([], "mapping is a list; it must be a mapping"),
    ({"item_tll": 5}, "item_tll is no setting (did you mean item_ttl?); allowed are expired_item_ttl, "),
    ({"zzz": 5}, "zzz is no setting; allowed are expired_item_ttl, index_settle_factor, item_ttl"),
    ({3: 5}, "the mapping has an int for the name of a setting; it must be a str"),
    ({"item_ttl": "300"}, "item_ttl is '300'; it must be a number of seconds"),
    ({"max_bytes": "300"}, "max_bytes is '300'; it must be a whole number of bytes"),
    ({"max_bytes": "0.3 B"}, "max_bytes is '0.3 B'; it must be a whole number of bytes"),
    ({"max_bytes": "none"}, "max_bytes is 'none'; it must be a whole number of bytes"),
    ({"max_bytes": 10, "max_entry_bytes": 11}, "max_entry_bytes is 11; it must be at most max_bytes, which is 10"),
    ({"tables": []}, "tables is a list; it must be a mapping of table names to daxlite.TableConfig"),
    (
        {"tables": {"O": {"item_tll": 5}}},
        "tables.O.item_tll is no setting (did you mean item_ttl?); allowed are enabled",
    ),
    ({"tables": {"O": {"item_ttl": -1}}}, "tables.O.item_ttl is -1; it must be a number of seconds"),
    ({"tables": {"O": {"enabled": 1}}}, "tables.O.enabled is 1; it must be True or False"),
    ({"tables": {"O": 3}}, "tables.O is 3; it must be a mapping of settings, or a daxlite.TableConfig"),
    ({"tables": {"O/": {}}}, "tables['O/'] must be under a table's name"),
    ({"tables": {3: {}}}, "tables[3] is a dict; it must be a daxlite.TableConfig under a table's name"),
    ({"tables": {"a*": {}, "*a": {}}}, "tables['a*'] and tables['*a'] are equally specific"),
    ({"tables": {"O": {"schema": 3}}}, "tables.O.schema is 3; it must be a daxlite.TableSchema or None"),
    ({"tables": {"O": {"schema": ["a", "b", "c"]}}}, 'tables.O.schema is a list; it must be a name, such as "pk"'),
    ({"tables": {"O": {"schema": {}}}}, "tables.O.schema.key is missing; it must be a name"),
    ({"tables": {"O": {"schema": {"key": ""}}}}, "tables.O.schema.key.hash has '' in it; it must have names"),
    ({"tables": {"O": {"schema": {"key": {}}}}}, "tables.O.schema.key.hash is empty; it must have the name"),
    ({"tables": {"O": {"schema": {"key": "a", "indexes": {}}}}}, "tables.O.schema.indexes is no setting (did you mean"),
    (
        {"tables": {"O": {"schema": {"key": "a", "global_indexes": {"i": []}}}}},
        "tables.O.schema.global_indexes.i is a list; it must be a name",
    ),
    (
        {"tables": {"O": {"schema": {"key": "a", "local_indexes": {"i": ["b", "c"]}}}}},
        "tables.O.schema.local_indexes['i'] is KeySchema(hash=('b',), range=('c',)); a local index has the partition",
    ),
    ({"shared": {}}, 'shared.server is missing; it must be a URL such as "redis://localhost:6379/0"'),
    ({"shared": 3}, "shared.server is 3; it must be a URL"),
    (
        {"shared": {"server": URL, "name_space": "x"}},
        "shared.name_space is no setting (did you mean namespace?); allowed",
    ),
    ({"shared": {"server": URL, "namespace": "/"}}, "shared.namespace is '/'; it must have 1 to 64 letters"),
    ({"shared": f"http://:{SECRET}@host"}, "shared: the server's URL must begin with redis://"),
    ({"shared": f"{URL}?{SECRET}=1"}, "shared: the server's URL has an option, which is not allowed"),
    ({"shared": {"server": URL, "encryption_keys": [SECRET]}}, "shared.encryption_keys[0] must be 32 bytes, as 64 hex"),
    (
        {"shared": {"server": URL, "encryption_keys": SECRET * 9}},
        "shared.encryption_keys[0] must be 32 bytes, as 64 hex",
    ),
    ({"shared": {"server": URL, "encryption_keys": [b"x"]}}, "shared.encryption_keys[0] has 1 bytes; "),
    ({"shared": {"server": URL, "account": 12345678901}}, "shared.account is 12345678901; it must be the 12 digits"),
]


@pytest.mark.parametrize(("mapping", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
def test_a_wrong_setting_is_named_by_its_path(mapping: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        Cache.from_mapping(mapping)
    assert str(raised.value).startswith(message)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_ttls_may_be_of_the_types_that_models_have() -> None:
    class Invalidation(enum.Enum):
        EXACT = "exact"

    config, _ = read(
        {"item_ttl": timedelta(minutes=1), "query_invalidation": Invalidation.EXACT, "query_ttl": math.inf}
    )
    assert (config.item_ttl, config.query_invalidation, config.query_ttl) == (60, "exact", math.inf)


def test_a_model_of_pydantic_is_taken_as_it_is_dumped(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydantic import BaseModel, ByteSize, Field, RedisDsn, SecretStr
    from pydantic_settings import BaseSettings, SettingsConfigDict

    class Table(BaseModel):
        enabled: bool = True
        item_ttl: timedelta | None = timedelta(seconds=30)

    class Tier(BaseModel):
        server: RedisDsn
        namespace: str = "shop"
        encryption_keys: list[SecretStr] = []

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="SHOP_", env_nested_delimiter="__", env_parse_none_str="none")
        item_ttl: float | None = Field(60, ge=0)
        max_bytes: ByteSize = ByteSize(1000)
        tables: dict[str, Table] = {}
        shared: Tier | None = None

    assert read(Settings().model_dump()) == (CacheConfig(item_ttl=60, max_bytes=1000), None)

    monkeypatch.setenv("SHOP_ITEM_TTL", "none")
    monkeypatch.setenv("SHOP_MAX_BYTES", "8 MiB")
    monkeypatch.setenv("SHOP_TABLES", '{"Orders-*": {"item_ttl": 5}, "Audit": {"enabled": false}}')
    monkeypatch.setenv("SHOP_SHARED__SERVER", URL)
    monkeypatch.setenv("SHOP_SHARED__ENCRYPTION_KEYS", f'["{KEY.hex()}"]')
    config, shared = read(Settings().model_dump())
    tables = {"Orders-*": TableConfig(item_ttl=5), "Audit": TableConfig(enabled=False, item_ttl=30)}
    assert config == CacheConfig(item_ttl=None, max_bytes=8 << 20, tables=tables)
    assert shared is not None
    assert (shared.server, shared.namespace, shared.encryption_keys) == (URL, "shop", [KEY])


def test_a_cache_is_made_with_them() -> None:
    class Own(Cache):
        pass

    cache = Own.from_mapping({"item_ttl": 60, "shared": fakeredis.FakeRedis()})
    assert type(cache) is Own
    assert cache.config.item_ttl == 60
    assert cache.stats().shared is not None
    cache.close()
