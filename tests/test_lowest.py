"""`make test-lowest`: the constraints for pip follow from pyproject.toml."""

import re

import pytest

from tools.lowest import PYPROJECT, constraints, lowest


def test_every_requirement_of_a_user_has_a_lowest_version() -> None:
    found = constraints(PYPROJECT.read_text("utf-8"))
    names = {line.partition("==")[0] for line in found}
    assert {"boto3", "botocore", "wrapt", "msgspec", "cachetools", "redis", "cryptography"} <= names
    assert {"pytest", "mypy", "daxlite"}.isdisjoint(names)
    assert len(names) == len(found)


def test_the_quickstart_names_the_lowest_versions() -> None:
    project = PYPROJECT.read_text("utf-8")
    boto3 = re.search(r'"boto3>=([\d.]+)"', project)
    python = re.search(r'requires-python = ">=([\d.]+)"', project)
    assert boto3
    assert python
    said = f"daxlite needs Python {python[1]} or newer and boto3 {boto3[1]} or newer."
    assert said in (PYPROJECT.parent / "docs" / "quickstart.md").read_text("utf-8")


@pytest.mark.parametrize("requirement", ["boto3", "boto3<2", "boto3==1.40", "boto3 >= 1.40", ""])
def test_a_requirement_without_a_lowest_version_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match="must have a lowest version"):
        list(lowest([requirement]))


def test_what_follows_the_lowest_version_is_left_out() -> None:
    assert list(lowest(["ruff>=0.17,<0.18"])) == ["ruff==0.17"]
