"""Runs before each Python program that `daxlite run` starts: daxlite is installed as soon as the program makes its
first DynamoDB client. A program that makes none pays for this file alone.

Python imports one module of this name. The one that this hides is run as well.
"""

import os
import sys

TYPE_CHECKING = False  # typing's own takes longer to import than all of this
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))


def _run_the_hidden_one() -> None:
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _HERE]
    own = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        if own is not None:
            sys.modules["sitecustomize"] = own


def _install_with_the_first_client(module: "ModuleType") -> None:
    """module: botocore.client. Its clients cannot be covered yet: while it is imported, boto3 is, too."""
    client, first = module.BaseClient, iter([True])
    plain = client.__init__

    def initialise(self: "Any", *args: "Any", **kwargs: "Any") -> None:
        plain(self, *args, **kwargs)
        if self.meta.service_model.service_name == "dynamodb" and next(first, False):  # of several threads, one
            if client.__init__ is initialise:
                client.__init__ = plain
            _install()

    client.__init__ = initialise


def _install() -> None:
    try:
        from daxlite.edges.install_from_env import install_from_env
    except Exception as error:  # noqa: BLE001 - such as an environment without daxlite
        import logging

        logging.getLogger("daxlite").error(
            "daxlite cannot be imported, so the program runs without a cache: %s: %s", type(error).__name__, error
        )
    else:
        install_from_env(os.environ)


def _load(name: str) -> "Any":
    """A module of daxlite by itself, as this one was loaded: to import daxlite is to import boto3."""
    module = type(sys)(f"daxlite.{name}")
    load: Any = type(__spec__.loader)
    load(module.__name__, os.path.join(os.path.dirname(_HERE), f"{name}.py")).exec_module(module)
    return module


if __name__ == "sitecustomize":  # and not a module of the package, as tools import it
    _load("after_import").after_import("botocore.client", _install_with_the_first_client)
    _run_the_hidden_one()
