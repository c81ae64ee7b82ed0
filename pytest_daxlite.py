"""pytest's plugin of daxlite: every test begins with clean caches, and may run with caching off, or on under a mock.

    daxlite_clean = false                      in pytest's settings: tests begin with what is cached
    @pytest.mark.daxlite(clean=False)          the same for one test
    @pytest.mark.daxlite(disabled=True)        as within daxlite.testing.disabled(), fixtures included
    @pytest.mark.daxlite(enabled=True)         as within daxlite.testing.enabled(), fixtures included

pytest loads this in every run where daxlite is installed. So it is no part of the package `daxlite`, which imports
boto3, and it imports that only where a test has done so, or asks for it.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NoReturn, TypedDict

import pytest


class _Wishes(TypedDict, total=False):
    clean: bool
    disabled: bool
    enabled: bool


_blocks = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("daxlite_clean", "whether each test begins with clean caches of daxlite's", type="bool", default=True)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "daxlite(clean=None, disabled=False, enabled=False): clean: whether the test begins with clean caches, as "
        "daxlite_clean says unless given; disabled, enabled: it runs within that block of daxlite.testing",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the fixtures of the test."""
    wishes = _wishes(item)
    is_switched = wishes.get("disabled") or wishes.get("enabled")
    if not is_switched and "daxlite" not in sys.modules:
        return
    import daxlite.testing

    if wishes.get("clean", item.config.getini("daxlite_clean")):
        daxlite.testing.clean_caches()
    if is_switched:
        blocks = item.stash[_blocks] = ExitStack()
        blocks.enter_context(daxlite.testing.disabled() if wishes.get("disabled") else daxlite.testing.enabled())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """After the fixtures of the test, whatever became of them."""
    yield
    if blocks := item.stash.get(_blocks, None):
        blocks.close()


def _wishes(item: pytest.Item) -> _Wishes:
    """What the markers of a test say; of several, the closest one decides. Fails the test for what is not allowed."""
    wishes: _Wishes = {}
    for mark in reversed([*item.iter_markers("daxlite")]):
        given: _Wishes = mark.kwargs  # type: ignore[assignment]  # as it is checked to be
        is_known = given.keys() <= _Wishes.__annotations__.keys()
        if mark.args or not is_known or not all(type(each) is bool for each in given.values()):
            _refuse(item, "the marker daxlite takes clean=, disabled= and enabled=, each True or False")
        if given.get("disabled") and given.get("enabled"):
            _refuse(item, "the marker daxlite takes one of disabled=True and enabled=True")
        if "disabled" in given or "enabled" in given:
            wishes |= {"disabled": False, "enabled": False}
        wishes |= given
    return wishes


def _refuse(item: pytest.Item, why: str) -> NoReturn:
    pytest.fail(f"{item.nodeid}: {why}", pytrace=False)
