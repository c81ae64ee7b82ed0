"""A plugin of pytest's that notes how each test ended, and that wraps all of PynamoDB where it is told to.

It is loaded by `upstream.py` into processes of their own, where the package `tests` is PynamoDB's and not this one.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from pynamodb.connection import Connection
from pynamodb.models import Model

import daxlite.pynamodb

WRAPPED = "DAXLITE_UPSTREAM_WRAPPED"
"""What to wrap: "models", "everything", or nothing."""
REPORT = "DAXLITE_UPSTREAM_REPORT"
"""The file to write into how each test ended, and how often the cache answered."""

_cache = daxlite.Cache()
_ended: dict[str, str] = {}


def pytest_configure() -> None:
    wrapped = os.environ[WRAPPED]
    if wrapped:
        daxlite.pynamodb.wrap(Model, _cache)
    if wrapped == "everything":
        make = Connection.__init__

        def make_and_wrap(self: Connection, *arguments: Any, **named: Any) -> None:
            make(self, *arguments, **named)
            daxlite.pynamodb.wrap(self, _cache)

        Connection.__init__ = make_and_wrap  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    report = yield
    if report.outcome != "passed" or call.when == "call":
        error = "" if call.excinfo is None else re.sub(r"on request \(\w+\)", "", call.excinfo.exconly())
        _ended[item.nodeid] = f"{report.outcome} in {report.when} {error}".strip()
    return report


def pytest_sessionfinish() -> None:
    stats = _cache.stats()
    report = {"ended": _ended, "hits": stats.total.hits, "faults": stats.faults}
    Path(os.environ[REPORT]).write_text(json.dumps(report))
