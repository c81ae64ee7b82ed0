"""The lists of removals fit the code, the tests and the documentation, and the command tells what is caught."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.removals.__main__ import check
from tests.removals.lists import LISTS, REMOVALS, List
from tests.removals.removal import ROOT, Removal
from tests.removals.run import copied, run, without


def test_each_guard_stands_once_in_its_file() -> None:
    for removal in REMOVALS:
        text = (ROOT / removal.file).read_text(encoding="utf-8")
        assert removal.apply(text) != text, removal.guard


def test_each_test_that_is_named_exists() -> None:
    for removal in REMOVALS:
        assert removal.tests, f"{removal.guard}: no test"
        for test in removal.tests:
            path, *names = test.split("::")
            text = (ROOT / path).read_text(encoding="utf-8")
            assert names, f"{removal.guard}: {test} is a whole file"
            assert all(f"def {name}(" in text or f"class {name}" in text for name in names), test


def test_no_two_rows_have_one_name_or_one_removal() -> None:
    assert len({removal.guard for removal in REMOVALS}) == len(REMOVALS)
    assert len({(removal.file, removal.hunks) for removal in REMOVALS}) == len(REMOVALS)


@pytest.mark.parametrize("each", LISTS, ids=lambda each: each.page.name)
def test_the_documentation_shows_the_tables_of_the_command(each: List) -> None:
    assert each.page.read_text(encoding="utf-8") == each.written(), "run python -m tests.removals --write"


# The command, on a repository of three lines

CODE = "def doubled(number: int) -> int:\n    return 2 * number\n"
TESTS = """
from code_under_test import doubled

def test_it_doubles():
    assert doubled(3) == 6

def test_it_does_not_look():
    doubled(3)

def test_it_ends():
    while doubled(1) == 1:
        pass
"""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (root / "code_under_test.py").write_text(CODE)
    (root / "test_it.py").write_text(TESTS)
    with copied(root) as tree:
        assert not (tree / ".git").exists()
        yield tree
    assert not tree.exists()


def removal(*tests: str, old: str = "2 * ", new: str = "") -> Removal:
    return Removal("the factor", "code_under_test.py", ((old, new),), tuple(f"test_it.py::{test}" for test in tests))


def test_a_removal_is_caught_if_all_tests_of_its_row_fail(tree: Path) -> None:
    is_caught, words, _ = check(tree, removal("test_it_doubles"), timeout=60)
    assert (is_caught, words) == (True, "`test_it.py`: it doubles")
    is_caught, words, _ = check(tree, removal("test_it_doubles", "test_it_does_not_look"), timeout=60)
    assert (is_caught, words) == (False, "NOT CAUGHT by `test_it.py`: it does not look")
    assert (tree / "code_under_test.py").read_text() == CODE
    assert not run(tree, removal("test_it_doubles").tests, timeout=60).failed, "no bytecode of the removal is left"


def test_tests_that_do_not_end_have_caught_it(tree: Path) -> None:
    is_caught, words, _ = check(tree, removal("test_it_ends"), timeout=0.1)
    assert (is_caught, words) == (True, "a hang of `test_it.py`: it ends")
    assert (tree / "code_under_test.py").read_text() == CODE


@pytest.mark.parametrize("old", ["3 * ", "number"])
def test_a_text_that_does_not_stand_there_once_is_not_replaced(tree: Path, old: str) -> None:
    with pytest.raises(ValueError, match="times"), without(tree, removal(old=old)):
        pass
    assert (tree / "code_under_test.py").read_text() == CODE


def test_a_removal_after_which_nothing_can_be_imported_is_not_caught_by_that(tree: Path) -> None:
    with pytest.raises(RuntimeError, match="could not run"):
        check(tree, removal("test_it_doubles", old="def doubled", new="def double"), timeout=60)
