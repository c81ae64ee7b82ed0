"""A simulator for the tests of it. Comparisons with a server that is known to be wrong there are left out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator import Simulator
from tests.simulator.plain_table import make_plain_table
from tests.simulator.test_simulator_against_server import FLAWS


@pytest.fixture(scope="session")
def shared() -> tuple[Simulator, Any]:
    """A simulator and a client of it, which is slow to make."""
    simulator = Simulator()
    return simulator, simulator.client()


@pytest.fixture
def simulator(shared: tuple[Simulator, Any]) -> Simulator:
    """A simulator without tables."""
    shared[0].reset()
    return shared[0]


@pytest.fixture
def client(shared: tuple[Simulator, Any]) -> Any:
    """A client of a simulator that has the table "plain"."""
    make_plain_table(*shared)
    return shared[1]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if _is_flawed(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _is_flawed(item: pytest.Item) -> bool:
    params = getattr(item, "callspec", None)
    if params is None or item.module.__name__ != "tests.simulator.test_simulator_against_server":  # type: ignore[attr-defined]
        return False
    server = params.params.get("backend")
    return any(item.name.endswith(f"[{server}-{title}]") for title in FLAWS.get(server, ()))
