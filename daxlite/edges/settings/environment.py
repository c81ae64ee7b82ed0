"""Settings in environment variables: DAXLITE_ITEM_TTL, DAXLITE_SHARED, DAXLITE_SHARED_NAMESPACE and so on."""

import os
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ...config import CacheConfig
from ...core.checks import kind_of, shown
from ..shared import Shared
from .fields import Kinds, Label, kinds_of
from .making import suggestion
from .toml import load
from .values import from_text, is_none

PREFIX: Final = "DAXLITE_"
CONFIG: Final = "DAXLITE_CONFIG"
TABLES: Final = "DAXLITE_TABLES"
SERVER: Final = "DAXLITE_SHARED"
OF_OTHERS: Final = ("DAXLITE_DISABLED", "DAXLITE_REDIS_URL", "DAXLITE_INSTALL_", "DAXLITE_TEST_")
"""How variables begin that are no settings of a cache: a switch, what the command line takes, and what tests do."""
_IN_CODE_ONLY: Final = "report"
"""What text cannot say."""


def variables() -> dict[str, tuple[str, Kinds]]:
    """The path of the setting that each variable gives, and what that may be.

    >>> variables()["DAXLITE_SHARED_NAMESPACE"][0]
    'shared.namespace'
    """
    of_cache = {f"{PREFIX}{name.upper()}": (name, kinds) for name, kinds in kinds_of(CacheConfig).items()}
    of_tier = {
        SERVER if name == "server" else f"{SERVER}_{name.upper()}": (f"shared.{name}", kinds)
        for name, kinds in kinds_of(Shared).items()
        if name != _IN_CODE_ONLY
    }
    return {**of_cache, **of_tier}


def load_environment(environ: object = None) -> tuple[dict[str, Any], Label]:
    """The settings in the environment, and how messages name them. A variable that is empty counts as not set.

    environ: the variables; those of the process unless given. Raises TypeError or ValueError for a variable of
    daxlite's that is no setting, OSError for a file that cannot be read.

    >>> load_environment({"DAXLITE_ITEM_TTL": "60", "DAXLITE_MAX_BYTES": "1 GiB"})[0]
    {'item_ttl': 60.0, 'max_bytes': 1073741824}
    """
    given, known = _given(os.environ if environ is None else environ), variables()
    for name in given:
        if name not in known and name != CONFIG:
            raise ValueError(f"{name} is no setting{suggestion(name, sorted([*known, CONFIG]))}")
    settings, of_file = _file(given.pop(CONFIG, None))
    names: dict[str, str] = {}
    shared: dict[str, Any] = {}
    for name, text in given.items():
        path, kinds = known[name]
        names[path] = name
        if path.startswith("shared."):
            shared[path.removeprefix("shared.")] = from_text(text, kinds)
        else:
            settings[path] = _json(name, text) if name == TABLES else from_text(text, kinds)
    if shared:
        settings["shared"] = _merged(settings.get("shared"), shared)
    return settings, _label(names, of_file)


def _given(environ: object) -> dict[str, str]:
    if not isinstance(environ, Mapping):
        raise TypeError(f"environ is {shown(environ)}; it must be a mapping of variables, such as os.environ")
    given = {
        name: text
        for name, text in environ.items()
        if isinstance(name, str) and name.startswith(PREFIX) and not name.startswith(OF_OTHERS)
    }
    for name, text in given.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} in environ is {kind_of(text)}; it must be a str")
    return {name: text for name, text in given.items() if text.strip()}


def _file(path: str | None) -> tuple[dict[str, Any], Label | None]:
    if path is None:
        return {}, None
    try:
        return load(path)
    except OSError as error:
        error.add_note(f"The file is named by {CONFIG}.")
        raise


def _json(name: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:  # which does not repeat the text
        raise ValueError(f'{name} must be JSON, such as {{"Orders": {{"item_ttl": 5}}}}: {error}') from None


def _merged(in_file: Any, given: dict[str, Any]) -> dict[str, Any] | None:
    """The settings of the tier: what the environment gives goes before what a file has."""
    if is_none(given.get("server", "")):
        return None
    return {**(in_file if isinstance(in_file, dict) else {"server": in_file}), **given}


def _label(names: Mapping[str, str], of_file: Label | None) -> Label:
    """How messages name a setting: by its variable if that is set, else by the file if there is one."""
    of_path = {path: name for name, (path, _) in variables().items()}

    def label(path: str) -> str:
        whole = "tables" if path.startswith("tables.") else "shared.server" if path == "shared" else path
        if whole in names or (of_file is None and whole in of_path):
            name = of_path[whole]
            return name + path.removeprefix(whole) if whole == "tables" else name
        return path if of_file is None else of_file(path)

    return label
