"""The examples of docs/testing.md are tests, and pass."""

import re

import pytest

from tests.testing.test_plugin import PLUGIN, ROOT, alone

pytest_plugins = "pytester"
__all__ = ["alone"]


def test_the_page_is_a_test_module_that_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    pytester.makepyfile("\n".join(blocks))
    pytester.runpytest_inprocess(*PLUGIN, "--strict-markers").assert_outcomes(passed="".join(blocks).count("def test_"))
