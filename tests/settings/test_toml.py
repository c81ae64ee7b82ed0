"""Settings in TOML files."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.edges.settings.mapping import read

SECRET = "a-password"
OWN = """
item_ttl = "none"
max_bytes = "64 MiB"
query_ttl = inf

[tables."Orders-*"]
query_ttl = 5
schema = ["pk", "sk"]

[tables.Audit]
enabled = false
"""
EXPECTED = CacheConfig(
    item_ttl=None,
    max_bytes=64 << 20,
    query_ttl=float("inf"),
    tables={
        "Orders-*": TableConfig(query_ttl=5, schema=TableSchema(KeySchema.of("pk", "sk"))),
        "Audit": TableConfig(enabled=False),
    },
)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_of_its_own(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "cache.toml"
    path.write_text(OWN)
    assert Cache.from_toml(kind(path)).config == EXPECTED


@pytest.mark.parametrize("name", ["pyproject.toml", "tools.toml"])
def test_a_table_beside_those_of_other_tools(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(f'[project]\nname = "shop"\n[tool.daxlite]\n{OWN.replace("[tables", "[tool.daxlite.tables")}')
    assert Cache.from_toml(path).config == EXPECTED


WRONG: list[tuple[str, str, str]] = [
    ("cache.toml", "item_ttl = -1", "{path}: item_ttl is -1; it must be a number of seconds"),
    ("cache.toml", 'item_ttl = "60"', "{path}: item_ttl is '60'; it must be a number of seconds"),
    ("cache.toml", "tables.Orders.itemttl = 1", "{path}: tables.Orders.itemttl is no setting (did you mean item_ttl?)"),
    ("cache.toml", f'shared = "{SECRET}"', "{path}: shared: the server's URL must begin with redis://"),
    ("cache.toml", f'shared = "{SECRET}', "{path} must be TOML: "),
    ("cache.toml", "tool.other.x = 1", "{path} has no table [tool.daxlite], which must have the settings"),
    ("pyproject.toml", "item_ttl = 1", "{path} has no table [tool.daxlite], which must have the settings"),
    ("pyproject.toml", "tool.daxlite.jitter = 2", "{path}: tool.daxlite.jitter is 2; it must be a fraction"),
]


@pytest.mark.parametrize(("name", "text", "message"), WRONG, ids=[text for _, text, _ in WRONG])
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError) as raised:
        Cache.from_toml(path)
    assert str(raised.value).startswith(message.format(path=path))
    assert SECRET not in str(raised.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "cache.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"cache\.toml must be TOML"):
        Cache.from_toml(path)


@pytest.mark.parametrize("wrong", [None, 3, "", b"cache.toml", "a\0b", "\ud800"])
def test_what_is_no_path(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"path is .*; it must be the path of a TOML file"):
        Cache.from_toml(wrong)


def test_the_example_of_the_documentation_is_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    config, shared = read(tomllib.loads(example))
    assert shared is not None
    assert (config.query_ttl, config.max_bytes, shared.namespace) == (None, 256 << 20, "shop")
    schema = config.for_table("Orders-eu").schema
    assert schema is not None
    assert schema.indexes.keys() == {"by_day", "by_two", "by_customer"}
