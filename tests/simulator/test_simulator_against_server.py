"""The model against real servers: the scenarios of the differential suite, and random programs.

The differential suite compares a cache with a server, and these tests compare the model with the same server on the
same scenarios: what is proven with the model holds as far as the model is right.
"""

from __future__ import annotations

import importlib
import inspect
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import servers
from tests.conftest import MakeTable
from tests.differential.canonical import Raised, differences
from tests.differential.harness import Harness, Side, Step, Steps
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


# What a server is known to get wrong, by scenario. Capabilities of whole suites are in tests/servers.py.
FLAWS = {
    "moto": {
        "update_item-each_return_value_of_a_new_item": "UPDATED_NEW of a new item holds its key",
        "update_item-consumed_capacity": "UPDATED_NEW lacks what was set to what it was",
        "query_indexes-selections": "a local index fetches nothing from its table",
        "query_errors-parameters_that_do_not_exist": "any name may be that of a table",
        "query_pages-pages_of_a_partition": "no LastEvaluatedKey after the last item",
        "query_pages-pages_of_indexes": "no LastEvaluatedKey after the last item",
        "query_pages-pages_of_a_scan": "no LastEvaluatedKey after the last item",
        "transactions-get": "TransactGetItems ignores projections",
    },
    "ministack": {"query_indexes-selections": "a local index fetches nothing from its table"},
    "dynalite": {"put_item-return_values_that_are_not_allowed": "DeleteItem takes any ReturnValues"},
}
# What the model does not know.
UNKNOWN = ("put_item-capacity_and_collection_metrics",)


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
                title = f"{suite}-{name.removeprefix('test_')}"
                if title not in UNKNOWN:
                    yield pytest.param(inside["script"], inside["shape"], id=title, marks=marks)


@pytest.fixture
def real(backend: servers.Backend, raw: Any, raw_resource: Any, make_table: MakeTable) -> Harness:
    return Harness(raw, raw_resource, make_table, lambda target: target, backend.can)


@pytest.fixture(scope="module")
def resource(shared: tuple[Simulator, Any]) -> Any:
    return shared[0].resource()


@pytest.fixture
def simulated(backend: servers.Backend, shared: tuple[Simulator, Any], resource: Any) -> Harness:
    """The model in the place of the server, with the capabilities of this server."""
    simulator, client = shared
    simulator.reset()

    def make(prefix: str, **request: Any) -> str:
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **request)
        return name

    return Harness(client, resource, make, lambda target: target, backend.can)


@pytest.mark.parametrize(("script", "shape"), list(scenarios()))
def test_scenario(script: Callable[[Steps], None], shape: Any, real: Harness, simulated: Harness) -> None:
    expected, actual = (_play(script, shape, harness) for harness in (real, simulated))
    for number, (wanted, got) in enumerate(zip(expected.log, actual.log, strict=False)):
        if wanted.label in expected.attempts and isinstance(wanted.outcome, Raised) != isinstance(got.outcome, Raised):
            continue
        found = list(differences(_essence(wanted, real.can), _essence(got, real.can)))
        assert not found, "\n".join([f"step {number}, {wanted.label}", *found])
    assert len(expected.log) == len(actual.log)


@dataclass
class _Steps(Steps):
    attempts: set[str] = field(default_factory=set)
    """What some servers answer and some refuse, so that the model may do either."""
    looks: int = 0

    def attempt(self, op: Any, /, **request: Any) -> Any:
        outcome = super().attempt(op, **request)
        self.attempts.add(self.log[-1].label)
        return outcome

    def look(self) -> None:
        """Read one of what is watched, each in its turn: no cache is in between that could have kept the others."""
        if self.watched:
            label, call = self.watched[self.looks % len(self.watched)]
            self.looks += 1
            self._make(label, call)


def _play(script: Callable[[Steps], None], shape: Any, harness: Harness) -> _Steps:
    name = harness.fill(shape)
    steps = _Steps(Side(harness.raw, harness.raw_resource, name), harness, {name: "<table 0>"}, plain=True)
    script(steps)
    return steps


_NEVER = ("ConsumedCapacity", "ResponseMetadata", "ItemCollectionMetrics")


def _essence(step: Step, can: Callable[[str], bool]) -> Any:
    """What all servers agree on: without the text of messages, consumed capacity, and orders that are not promised."""
    outcome, label = step.outcome, step.label
    if isinstance(outcome, Raised):
        assert UnsupportedError.__name__ not in outcome.type, outcome.message
        response = outcome.response or {}
        reasons = [reason.get("Code") for reason in response.get("CancellationReasons", ())]
        item = response.get("Item") if can("condition_items") else None
        return [outcome.type, response.get("Error", {}).get("Code"), reasons, item]
    if not isinstance(outcome, dict):
        return None if label.startswith("test_") else outcome
    if label.startswith("describe_table") or "'Segment'" in label:
        return None
    # Nothing updated may be an empty map of attributes, or none.
    essence = {key: value for key, value in outcome.items() if key not in _NEVER and (key != "Attributes" or value)}
    if label.startswith("scan") or "'by-stage'" in label or "'by-holder'" in label:
        if "'ExclusiveStartKey'" in label or "'Limit'" in label:
            # Which entries are on which page, the order decides.
            return {"ScannedCount": essence["ScannedCount"]}
        if "Items" in essence:
            essence["Items"] = sorted(essence["Items"], key=lambda item: json.dumps(item, sort_keys=True, default=repr))
    return essence
