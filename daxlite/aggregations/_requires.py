"""Says what to install, before the first import that needs it. Imports are sorted by name, so this one is first."""

from importlib.util import find_spec

if find_spec("redis") is None:
    raise ModuleNotFoundError('redis is not installed: pip install "daxlite[redis]"', name="redis")
