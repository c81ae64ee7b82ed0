"""`daxlite.pynamodb` where PynamoDB is not installed."""

from pathlib import Path

from tests.test_imports import python


def test_without_pynamodb_it_says_what_to_install(tmp_path: Path) -> None:
    code = """
import importlib.util
plain = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "pynamodb" else plain(name, *rest)
try:
    import daxlite.pynamodb
except ModuleNotFoundError as error:
    print(error.name, "|", error)
"""
    result = python(code, cwd=tmp_path)
    assert result.stdout == "pynamodb | pynamodb is not installed: pip install pynamodb\n", result.stderr
