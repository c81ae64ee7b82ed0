"""Tests of what only clients of aiobotocore have. They are left out by `--edges threads`."""

from pathlib import Path

import pytest

from tests.conftest import chosen_edges

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if HERE in collection_path.parents and "asyncio" not in chosen_edges(config) else None
