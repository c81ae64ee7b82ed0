"""Settings in a TOML file: one of its own, or the table `[tool.daxlite]` of a pyproject.toml."""

import os
import tomllib
from pathlib import Path
from typing import Any

from ...core.checks import is_name, shown
from .fields import Label
from .making import join


def load(path: object) -> tuple[dict[str, Any], Label]:
    """The settings in a file, and how messages name them.

    Raises TypeError for what is no path, OSError for a file that cannot be read, ValueError for one that is not TOML,
    or is a pyproject.toml without the table.
    """
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not is_name(text) or "\0" in str(text):
        raise TypeError(f"path is {shown(path)}; it must be the path of a TOML file, as a str or a Path")
    file = Path(str(text))
    settings: Any
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # of the encoding, or of the syntax; neither message repeats the text
        raise ValueError(f"{file} must be TOML: {error}") from None
    table = ""
    if "tool" in settings or file.name == "pyproject.toml":
        table = "tool.daxlite"
        tools = settings.get("tool")
        settings = tools.get("daxlite") if isinstance(tools, dict) else None
        if not isinstance(settings, dict):
            raise ValueError(f"{file} has no table [{table}], which must have the settings")
    return settings, lambda name: f"{file}: {join(table, name)}".removesuffix(".")
