"""Run one scenario with a plain client and with a wrapped one, and compare everything that came back.

A scenario is a function that takes `Steps` and calls DynamoDB through it. It runs twice, each time on a fresh table
with the same shape and the same items: with the plain client, and with a wrapped client. Then

1. each response, or exception, of the wrapped run equals the one of the plain run;
2. each read that is meant to be cached was a hit when it was repeated: a cache that does nothing does not pass;
3. each read is made once more, and equals what the plain client reads from the very same table.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.differential.canonical import canonical, capacities, differences, is_hit, loosened
from tests.differential.tables import Shape

Call = Callable[["Side"], Any]
Wrap = Callable[[Any], Any]


@dataclass(frozen=True)
class Side:
    """What a call goes through: a client and a resource, both plain or both wrapped, and the name of the table."""

    client: Any
    resource: Any
    name: str

    @property
    def table(self) -> Any:
        return self.resource.Table(self.name)


@dataclass
class Step:
    """One call that was made, and what came of it, in canonical form."""

    label: str
    outcome: Any
    hit: bool
    must_hit: bool = False
    loose: bool = False


@dataclass
class Harness:
    """A server to run scenarios on, as the fixture of this name makes it."""

    raw: Any
    raw_resource: Any
    make_table: Callable[..., str]
    wrap: Wrap
    can: Callable[[str], bool]

    def fill(self, shape: Shape) -> str:
        """A new table of this shape, with its items."""
        name = self.make_table("scenario", **shape.request)
        requests = [{"PutRequest": {"Item": item}} for item in shape.items]
        for start in range(0, len(requests), 25):
            answer = self.raw.batch_write_item(RequestItems={name: requests[start : start + 25]})
            assert not answer["UnprocessedItems"]
        return name


@dataclass
class Steps:
    """What a scenario drives. Each call is recorded; the response is returned."""

    side: Side
    harness: Harness
    names: dict[str, str]
    plain: bool
    log: list[Step] = field(default_factory=list)
    reads: dict[str, Call] = field(default_factory=dict)
    watched: list[tuple[str, Call]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.side.name

    def another_table(self, shape: Shape) -> str:
        name = self.harness.fill(shape)
        self.names[name] = f"<table {len(self.names)}>"
        return name

    def do(self, op: str | Call, /, **request: Any) -> Any:
        """One call, which succeeds."""
        return self._succeed(*self._call(op, request))

    def write(self, op: str | Call, /, **request: Any) -> Any:
        """One call, which succeeds and after which everything that is watched is read again."""
        response = self.do(op, **request)
        self.look()
        return response

    def fail(self, op: str | Call, /, **request: Any) -> Any:
        """One call, which raises; the exception is returned. A server that does not validate well may answer it."""
        label, call = self._call(op, request)
        outcome = self._make(label, call)
        assert isinstance(outcome, Exception) or not self.harness.can("validation"), f"{label} succeeded: {outcome}"
        return outcome

    def attempt(self, op: str | Call, /, **request: Any) -> Any:
        """One call, which some servers answer and some refuse."""
        return self._make(*self._call(op, request))

    def read(self, op: str | Call, /, *, hit: bool = True, **request: Any) -> Any:
        """One read, made twice. The second must come from the cache, unless `hit` is false."""
        label, call = self._call(op, request)
        self.reads[label] = call
        if self.plain:
            # Without a cache, the second answer is the first.
            answer = self._succeed(label, call)
            self.log.append(self.log[-1])
            return answer
        # Nothing that a caller does to a response may be seen in another one.
        _vandalise(self._succeed(label, call))
        return self._succeed(label, call, must_hit=hit)

    def watch(self, op: str | Call, /, *, hit: bool = True, **request: Any) -> Any:
        """A `read` that is made again after each `write`."""
        self.watched.append(self._call(op, request))
        return self.read(op, hit=hit, **request)

    def look(self) -> None:
        """Read again what is watched."""
        for label, call in self.watched:
            self._make(label, call)

    def form(self, label: str, outcome: Any) -> Any:
        """What came of a call, in canonical form."""
        form = canonical(outcome, self.names)
        if (
            isinstance(form, dict)
            and "ReturnConsumedCapacity" not in label
            and not self.harness.can("capacity_on_request")
        ):
            form.pop("ConsumedCapacity", None)
        return form

    def _call(self, op: str | Call, request: dict[str, Any]) -> tuple[str, Call]:
        """What `op` means: ``get_item``, ``table.get_item``, ``resource.batch_get_item``, or a function of a side."""
        if callable(op):
            assert not request, "a function knows its own arguments"
            return f"{op.__code__.co_filename.rpartition('/')[2]}:{op.__code__.co_firstlineno}", op
        face, _, method = op.rpartition(".")
        if not face and "TableName" in self._parameters(method):
            request.setdefault("TableName", self.name)
        return f"{op}({request})", lambda side: getattr(getattr(side, face or "client"), method)(**request)

    def _parameters(self, method: str) -> Any:
        operation = self.harness.raw.meta.method_to_api_mapping[method]
        return self.harness.raw.meta.service_model.operation_model(operation).input_shape.members

    def _succeed(self, label: str, call: Call, *, must_hit: bool = False) -> Any:
        outcome = self._make(label, call, must_hit=must_hit)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _make(self, label: str, call: Call, *, must_hit: bool = False) -> Any:
        outcome = _outcome(call, self.side)
        # A batch that the cache answers in part consumes less than the plain client's.
        loose = "batch_get_item" in label
        self.log.append(Step(label, self.form(label, outcome), is_hit(outcome), must_hit, loose))
        return outcome


def scenario(shape: Shape, *needs: str) -> Callable[[Callable[[Steps], None]], Callable[[Harness], None]]:
    """Make a test of a function of `Steps`. `needs` names capabilities of the server."""

    def decorate(script: Callable[[Steps], None]) -> Callable[[Harness], None]:
        def test(harness: Harness) -> None:
            compare(script, shape, harness)

        test.__name__, test.__qualname__ = script.__name__, script.__qualname__
        test.__doc__, test.__module__ = script.__doc__, script.__module__
        return pytest.mark.needs(*needs)(test) if needs else test

    return decorate


def compare(script: Callable[[Steps], None], shape: Shape, harness: Harness) -> None:
    """Run `script` on both sides; the first difference is an assertion error that names the step."""
    plain = _run(script, shape, harness, lambda target: target, plain=True)
    wrapped = _run(script, shape, harness, harness.wrap, plain=False)
    for number, (expected, actual) in enumerate(zip(plain.log, wrapped.log, strict=False)):
        _check(f"step {number}, {actual.label}", expected, actual)
    assert len(plain.log) == len(wrapped.log)
    _check_truth(wrapped, Side(harness.raw, harness.raw_resource, wrapped.name))


def _run(script: Callable[[Steps], None], shape: Shape, harness: Harness, wrap: Wrap, *, plain: bool) -> Steps:
    name = harness.fill(shape)
    side = Side(wrap(harness.raw), wrap(harness.raw_resource), name)
    steps = Steps(side, harness, {name: "<table 0>"}, plain)
    script(steps)
    return steps


def _check_truth(wrapped: Steps, plain: Side) -> None:
    for label, call in wrapped.reads.items():
        actual, expected = _outcome(call, wrapped.side), _outcome(call, plain)
        _check(
            f"in the end, {label}",
            Step(label, wrapped.form(label, expected), hit=False),
            Step(label, wrapped.form(label, actual), is_hit(actual), loose=True),
        )


def _check(where: str, expected: Step, actual: Step) -> None:
    wanted, got = expected.outcome, actual.outcome
    if actual.hit or actual.loose:
        wanted, got = loosened(wanted), loosened(got)
    if got != wanted:
        raise AssertionError("\n".join([where, *differences(wanted, got)]))
    if actual.hit:
        assert not any(capacities(actual.outcome)), f"{where}: a hit consumes nothing"
    assert actual.hit or not actual.must_hit, f"{where}: not a hit"


def _outcome(call: Call, side: Side) -> Any:
    try:
        return call(side)
    except Exception as error:  # noqa: BLE001 - an exception is an outcome like any other
        return error


def _vandalise(value: Any) -> None:
    if isinstance(value, MutableMapping):
        for member in value.values():
            _vandalise(member)
        value["vandalised"] = "yes"
    elif isinstance(value, MutableSequence):
        for member in value:
            _vandalise(member)
        value.append("vandalised")
    elif isinstance(value, set):
        value.add("vandalised")
