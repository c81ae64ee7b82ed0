"""The model against real servers: the scenarios of the differential suite, and random programs.

The differential suite compares a cache with a server, and these tests compare the model with the same server on the
same scenarios: what is proven with the model holds as far as the model is right.
"""

from __future__ import annotations

import importlib
import inspect
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import servers
from tests.conftest import MakeTable
from tests.differential.canonical import Raised, differences
from tests.differential.harness import Lab, Side, Step, Steps
from tests.simulator.errors import UnsupportedError
from tests.simulator.server import Simulator

SUITES = (
    "get_item",
    "batch_get_item",
    "put_item",
    "update_item",
    "query",
    "query_errors",
    "query_indexes",
    "query_pages",
    "scan",
    "batch_write_item",
    "transactions",
)


def scenarios() -> Iterator[Any]:
    for suite in SUITES:
        module = importlib.import_module(f"tests.differential.test_{suite}")
        for name, test in vars(module).items():
            if name.startswith("test_") and test.__module__ == module.__name__:
                inside = inspect.getclosurevars(test).nonlocals
                marks = list(getattr(test, "pytestmark", ()))
                if "bad_" in name or "not_allowed" in name:
                    # What a server wrongly accepts, it carries out.
                    marks.append(pytest.mark.needs("validation"))
                yield pytest.param(inside["script"], inside["shape"], id=f"{suite}-{name[5:]}", marks=marks)


@pytest.fixture
def real(backend: servers.Backend, raw: Any, raw_resource: Any, make_table: MakeTable) -> Lab:
    return Lab(raw, raw_resource, make_table, lambda target: target, backend.can)


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture(scope="module")
def clients(simulator: Simulator) -> tuple[Any, Any]:
    return simulator.client(), simulator.resource()


@pytest.fixture
def simulated(backend: servers.Backend, simulator: Simulator, clients: tuple[Any, Any]) -> Lab:
    """The model in the place of the server, allowed whatever this server is allowed."""
    simulator.reset()
    client, resource = clients

    def make(prefix: str, **request: Any) -> str:
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **request)
        return name

    return Lab(client, resource, make, lambda target: target, backend.can)


@pytest.mark.parametrize(("script", "shape"), list(scenarios()))
def test_scenario(script: Callable[[Steps], None], shape: Any, real: Lab, simulated: Lab) -> None:
    expected, actual = (_play(script, shape, lab) for lab in (real, simulated))
    for number, (wanted, got) in enumerate(zip(expected.log, actual.log, strict=False)):
        found = list(differences(_essence(wanted), _essence(got)))
        assert not found, "\n".join([f"step {number}, {wanted.label}", *found])
    assert len(expected.log) == len(actual.log)


def _play(script: Callable[[Steps], None], shape: Any, lab: Lab) -> Steps:
    name = lab.fill(shape)
    steps = Steps(Side(lab.raw, lab.raw_resource, name), lab, {name: "<table 0>"}, plain=True)
    script(steps)
    return steps


def _essence(step: Step) -> Any:
    """What servers agree on: not the words of a message, not what a call consumes, nor an order that is nobody's."""
    outcome = step.outcome
    if isinstance(outcome, Raised):
        assert UnsupportedError.__name__ not in outcome.type, outcome.message
        response = outcome.response or {}
        reasons = [reason.get("Code") for reason in response.get("CancellationReasons", ())]
        return [outcome.type, response.get("Error", {}).get("Code"), reasons, response.get("Item")]
    if not isinstance(outcome, dict):
        return None if step.label.startswith("test_") else outcome
    essence = {key: value for key, value in outcome.items() if key not in ("ConsumedCapacity", "ResponseMetadata")}
    if "'Segment'" in step.label:
        return None
    if step.label.startswith("scan") or any(index in step.label for index in ("'by-stage'", "'by-holder'")):
        if "Items" in essence:
            essence["Items"] = sorted(essence["Items"], key=repr)
        if "LastEvaluatedKey" in essence or "'ExclusiveStartKey'" in step.label or "'Limit'" in step.label:
            # Which entries are on which page, the order decides.
            return {"ScannedCount": essence["ScannedCount"]}
    return essence
