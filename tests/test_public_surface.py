"""The public surface is that of `public_surface.txt`: a change there is a change for every application."""

import difflib
from dataclasses import fields

import pytest

from daxlite import aggregations
from tests import public_surface

# Taken when the module is imported: while a test runs, the suite has wrapped Cache.__init__.
PRESENT = public_surface.surface()


def test_the_public_surface_is_the_recorded_one() -> None:
    recorded = public_surface.PATH.read_text(encoding="utf-8")
    diff = difflib.unified_diff(recorded.splitlines(), PRESENT.splitlines(), "recorded", "present", lineterm="")
    if recorded != PRESENT:
        pytest.fail(
            "\n".join(["the public surface changed; if that is right, `make surface` records it", *diff]), pytrace=False
        )


def test_every_public_name_is_documented() -> None:
    assert public_surface.undocumented() == []


def test_every_option_can_be_given_to_each_function() -> None:
    names = {field.name for field in fields(aggregations.AggregationOptions)} - {"ttl"}
    assert names == aggregations.settings.OptionNames.__annotations__.keys()
