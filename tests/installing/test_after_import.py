"""`after_import`: a function is called once a module has been imported, whichever way that goes."""

import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from daxlite.after_import import after_import
from tests.forking import PATIENCE

NAME = "module_of_a_test_of_daxlite"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = tmp_path / f"{NAME}.py"
    file.write_text("value = 1")
    monkeypatch.syspath_prepend(tmp_path)
    yield file
    sys.modules.pop(NAME, None)


def test_it_is_called_once_with_the_module_that_is_whole(module: Path) -> None:
    heard: list[ModuleType] = []
    after_import(NAME, heard.append)
    assert NAME not in sys.modules
    found = importlib.import_module(NAME)
    assert heard == [found]
    assert found.value == 1
    assert type(found.__loader__).__module__ == type(found.__spec__.loader).__module__  # type: ignore[union-attr]
    assert "importlib" in type(found.__loader__).__module__, "its own loader"
    importlib.reload(found)
    assert heard == [found]
    after_import(NAME, heard.append)
    assert heard == [found, found], "at once, for it is there"


def test_what_tools_ask_of_a_loader_before_an_import_is_there(module: Path) -> None:
    after_import(NAME, lambda module: None)
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    assert spec.loader.get_source(NAME) == "value = 1"  # type: ignore[union-attr]


def test_one_that_cannot_be_imported_may_be_imported_later(module: Path) -> None:
    heard: list[ModuleType] = []
    module.unlink()
    after_import(NAME, heard.append)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(NAME)
    module.write_text("raise LookupError")
    importlib.invalidate_caches()
    with pytest.raises(LookupError):
        importlib.import_module(NAME)
    assert heard == []
    module.write_text("value = 22")
    assert importlib.import_module(NAME).value == 22
    assert heard == [sys.modules[NAME]]


def test_one_that_another_thread_is_importing_is_waited_for(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()
    monkeypatch.setattr(sys, "daxlite_test", (begun, may_end), raising=False)
    module.write_text("import sys\nbegun, may_end = sys.daxlite_test\nbegun.set()\nmay_end.wait(10)\nvalue = 3")
    importing = threading.Thread(target=importlib.import_module, args=(NAME,))
    importing.start()
    assert begun.wait(PATIENCE)
    values: list[int] = []
    waiting = threading.Thread(target=after_import, args=(NAME, lambda found: values.append(found.value)))
    waiting.start()
    may_end.set()
    for thread in (importing, waiting):
        thread.join(PATIENCE)
    assert values == [3]
