"""Settings in environment variables."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from daxlite import Cache, CacheConfig, Shared, TableConfig
from daxlite.edges.settings.environment import load_environment, variables
from daxlite.edges.settings.mapping import read

SECRET = "a-password"  # what no message may repeat
URL = f"redis://:{SECRET}@localhost:6379/0"
KEY = bytes(range(32))


def settings(environ: Mapping[str, str]) -> tuple[CacheConfig, Shared | None]:
    return read(*load_environment(environ))


EVERY: dict[str, tuple[str, Any]] = {
    "DAXLITE_ITEM_TTL": ("60", 60),
    "DAXLITE_QUERY_TTL": ("None", None),
    "DAXLITE_NEGATIVE_TTL": (" 2.5 ", 2.5),
    "DAXLITE_EXPIRED_ITEM_TTL": ("0", 0),
    "DAXLITE_JITTER": ("0.5", 0.5),
    "DAXLITE_SETTLE_WINDOW": ("1", 1),
    "DAXLITE_INDEX_SETTLE_FACTOR": ("2", 2),
    "DAXLITE_MAX_BYTES": ("64 MiB", 64 << 20),
    "DAXLITE_MAX_ENTRY_BYTES": ("1000", 1000),
    "DAXLITE_QUERY_INVALIDATION": ("ttl", "ttl"),
    "DAXLITE_TABLES": ('{"Audit-*": {"item_ttl": null}}', {"Audit-*": TableConfig(item_ttl=None)}),
    "DAXLITE_SHARED": (URL, URL),
    "DAXLITE_SHARED_NAMESPACE": ("shop", "shop"),
    "DAXLITE_SHARED_LOCAL": ("off", False),
    "DAXLITE_SHARED_READS": ("False", False),
    "DAXLITE_SHARED_WRITE_THROUGH": ("never", "never"),
    "DAXLITE_SHARED_ACCOUNT": ("012345678901", "012345678901"),
    "DAXLITE_SHARED_BUDGET": ("0.1", 0.1),
    "DAXLITE_SHARED_REQUIRE_FOR_WRITES": ("1", True),
    "DAXLITE_SHARED_OUTAGE_TTL": ("1", 1),
    "DAXLITE_SHARED_MAX_WAIT": ("2", 2),
    "DAXLITE_SHARED_PROXY": ("yes", True),
    "DAXLITE_SHARED_ENCRYPTION_KEYS": (f"{KEY.hex()}, {KEY[::-1].hex()}", [KEY, KEY[::-1]]),
    "DAXLITE_SHARED_COMPRESS_ABOVE": ("1 KiB", 1024),
    "DAXLITE_SHARED_REPORT_EVERY": ("5", 5),
}


def test_every_variable_is_tried_here() -> None:
    assert set(EVERY) == set(variables())


def by_variable(environ: Mapping[str, str]) -> dict[str, Any]:
    """All settings, under the names of their variables."""
    config, shared = settings({"DAXLITE_SHARED": "redis://another", **environ})
    found = {f"DAXLITE_{each.name.upper()}": getattr(config, each.name) for each in fields(CacheConfig)}
    found |= {f"DAXLITE_SHARED_{each.name.upper()}": getattr(shared, each.name) for each in fields(Shared)}
    return {**found, "DAXLITE_SHARED": found.pop("DAXLITE_SHARED_SERVER")}


@pytest.mark.parametrize("name", EVERY)
def test_every_setting_has_a_variable(name: str) -> None:
    text, expected = EVERY[name]
    assert by_variable({name: text})[name] == expected != by_variable({})[name]


def test_what_is_no_setting_is_not_looked_at() -> None:
    others = {
        "PATH": "/bin",
        "daxlite_item_ttl": "5",
        "DAXLITE_DISABLED": "1",
        "DAXLITE_REDIS_URL": URL,
        "DAXLITE_TEST_BACKENDS": "1",
        "DAXLITE_INSTALL_TABLES": "Orders",
        "DAXLITE_JITTER": "",
        "DAXLITE_SHARED": " ",
    }
    assert settings(others) == (CacheConfig(), None)


def test_the_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAXLITE_ITEM_TTL", "7")
    assert Cache.from_env().config == CacheConfig(item_ttl=7)


WRONG: list[tuple[Any, str]] = [
    (3, "environ is 3; it must be a mapping of variables, such as os.environ"),
    ({"DAXLITE_ITEM_TTL": 5}, "DAXLITE_ITEM_TTL in environ is an int; it must be a str"),
    ({"DAXLITE_ITEM_TLL": "5"}, "DAXLITE_ITEM_TLL is no setting (did you mean DAXLITE_ITEM_TTL?); allowed are DAX"),
    ({"DAXLITE_SHARED_REPORT": "x"}, "DAXLITE_SHARED_REPORT is no setting (did you mean DAXLITE_SHARED_REPORT_E"),
    ({"DAXLITE_ITEM_TTL": "5 minutes"}, "DAXLITE_ITEM_TTL is '5 minutes'; it must be a number of seconds, 0 (never"),
    ({"DAXLITE_ITEM_TTL": "nan"}, "DAXLITE_ITEM_TTL is nan; it must be a number of seconds, 0 (never"),
    ({"DAXLITE_MAX_BYTES": "5 apples"}, "DAXLITE_MAX_BYTES is '5 apples'; it must be a whole number of bytes"),
    ({"DAXLITE_MAX_BYTES": "9" * 5000}, "DAXLITE_MAX_BYTES is a str of 5000 characters; it must be a whole"),
    ({"DAXLITE_TABLES": "Orders"}, 'DAXLITE_TABLES must be JSON, such as {"Orders": {"item_ttl": 5}}: JSON is mal'),
    ({"DAXLITE_TABLES": "[]"}, "DAXLITE_TABLES is a list; it must be a mapping of table names"),
    ({"DAXLITE_TABLES": '{"O": {"item_tll": 5}}'}, "DAXLITE_TABLES.O.item_tll is no setting (did you mean item_ttl?)"),
    ({"DAXLITE_TABLES": '{"O": {"schema": "x", "item_ttl": "5"}}'}, "DAXLITE_TABLES.O.item_ttl is '5'; it must be"),
    ({"DAXLITE_SHARED_NAMESPACE": "x"}, 'DAXLITE_SHARED is missing; it must be a URL such as "redis://'),
    ({"DAXLITE_SHARED": SECRET}, "DAXLITE_SHARED: the server's URL must begin with redis://"),
    ({"DAXLITE_SHARED": f"{URL}?x=1"}, "DAXLITE_SHARED: the server's URL has the option x, which is not allowed"),
    ({"DAXLITE_SHARED": URL, "DAXLITE_SHARED_LOCAL": "maybe"}, "DAXLITE_SHARED_LOCAL is 'maybe'; it must be True"),
    ({"DAXLITE_SHARED": URL, "DAXLITE_SHARED_BUDGET": "0"}, "DAXLITE_SHARED_BUDGET is 0.0; it must be a number"),
    (
        {"DAXLITE_SHARED": URL, "DAXLITE_SHARED_ENCRYPTION_KEYS": f"{KEY.hex()},{SECRET}"},
        "DAXLITE_SHARED_ENCRYPTION_KEYS[1] must be 32 bytes, as 64 hexadecimal digits or in base64",
    ),
]


@pytest.mark.parametrize(("environ", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
def test_a_wrong_variable_is_named(environ: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        Cache.from_env(environ)
    assert str(raised.value).startswith(message)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


# With a file


FILE = f"""
item_ttl = 5
query_ttl = "none"
tables.Orders.item_ttl = 6
[shared]
server = "{URL}"
namespace = "in-the-file"
budget = 1
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = tmp_path / "daxlite.toml"
    path.write_text(FILE)
    return str(path)


def test_variables_go_before_the_file(path: str) -> None:
    of_file = {"item_ttl": 5, "query_ttl": None, "tables": {"Orders": TableConfig(item_ttl=6)}}
    config, shared = settings({"DAXLITE_CONFIG": path})
    assert shared is not None
    assert config == CacheConfig(**of_file)
    assert (shared.server, shared.namespace, shared.budget) == (URL, "in-the-file", 1)

    config, shared = settings(
        {
            "DAXLITE_CONFIG": path,
            "DAXLITE_ITEM_TTL": "7",
            "DAXLITE_TABLES": '{"Users": {}}',  # all of them, as CacheConfig(tables=...)
            "DAXLITE_SHARED_NAMESPACE": "in-a-variable",
        }
    )
    assert shared is not None
    assert config == CacheConfig(item_ttl=7, query_ttl=None, tables={"Users": TableConfig()})
    assert (shared.server, shared.namespace, shared.budget) == (URL, "in-a-variable", 1)

    assert settings({"DAXLITE_CONFIG": path, "DAXLITE_SHARED": "none"})[1] is None


def test_a_tier_whose_server_alone_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "daxlite.toml"
    path.write_text(f'shared = "{URL}"')
    shared = settings({"DAXLITE_CONFIG": str(path), "DAXLITE_SHARED_NAMESPACE": "shop"})[1]
    assert shared is not None
    assert (shared.server, shared.namespace) == (URL, "shop")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"DAXLITE_ITEM_TTL": "x"}, "DAXLITE_ITEM_TTL is 'x'"),
        ({"DAXLITE_MAX_BYTES": "1", "DAXLITE_JITTER": "2"}, "DAXLITE_JITTER is 2.0"),
        ({"DAXLITE_SHARED": "x"}, "DAXLITE_SHARED: the server's URL"),
        ({"DAXLITE_SHARED_BUDGET": "0"}, "DAXLITE_SHARED_BUDGET is 0.0"),
        ({}, "{path}: settle_window is -1; it must be a number of seconds"),
    ],
)
def test_a_message_names_where_it_was_said(path: str, more: dict[str, str], message: str) -> None:
    if not more:
        Path(path).write_text("settle_window = -1")
    with pytest.raises(ValueError) as raised:
        Cache.from_env({"DAXLITE_CONFIG": path, **more})
    assert str(raised.value).startswith(message.format(path=path))


def test_a_file_that_is_not_there_is_named_with_its_variable(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.toml") as raised:
        Cache.from_env({"DAXLITE_CONFIG": str(tmp_path / "none.toml")})
    assert raised.value.__notes__ == ["The file is named by DAXLITE_CONFIG."]
