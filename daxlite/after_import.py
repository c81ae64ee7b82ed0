"""Calls a function as soon as a module has been imported, without importing it.

It stands alone: `startup/sitecustomize.py` loads it by itself.

The finder stays in `sys.meta_path` once it is there: to take it out while another thread goes through that list would
hide another finder from it.
"""

import sys

TYPE_CHECKING = False  # typing's own takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_waiting: "dict[str, Callable[[ModuleType], object]]" = {}


def after_import(name: str, call: "Callable[[ModuleType], object]") -> None:
    """Call a function with a module once it has been imported; at once if it has been. The function must not raise."""
    _waiting[name] = call
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    module = sys.modules.get(name)
    if module is not None:
        __import__(name)  # it waits for another thread that imports it just now
        called(name, module)


def called(name: str, module: "ModuleType") -> None:
    """Make the call that waits for a module, if there is one."""
    call = _waiting.pop(name, None)
    if call is not None:
        call(module)


class _Finder:
    """Finds nothing by itself: has the others find the module, and its loader tell when it is there."""

    def find_spec(self, name: str, path: "Sequence[str] | None" = None, target: "Any" = None) -> "ModuleSpec | None":
        if name not in _waiting:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)  # type: ignore[assignment]  # not importlib's class, which costs an import
                return spec
        return None


class _Loader:
    """Stands for the loader of a module until that begins."""

    def __init__(self, loader: "Any") -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> "Any":
        """What tools ask a loader for, such as the source."""
        return getattr(self._loader, name)

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: "ModuleType") -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        called(module.__name__, module)


_finder = _Finder()
