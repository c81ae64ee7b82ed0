"""Says what to install, before the first import that needs it. Imports are sorted by name, so this one is first."""

from importlib.util import find_spec

if find_spec("pynamodb") is None:
    raise ModuleNotFoundError("pynamodb is not installed: pip install pynamodb", name="pynamodb")
