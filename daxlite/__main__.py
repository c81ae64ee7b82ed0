"""`python -m daxlite` and the `daxlite` script."""

import sys

# The packages of the extras. A failed import of any other is a fault, and keeps its traceback.
CLI_PACKAGES = frozenset({"typer", "click", "rich", "redis"})
DEMO_PACKAGES = CLI_PACKAGES | {"moto", "flask", "werkzeug", "fakeredis"}


def main() -> None:
    """Run the command line. Without its extra, print one line that says what to install, and exit with 2."""
    try:
        from daxlite.cli import app

        app()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in DEMO_PACKAGES:
            raise
        extra = "cli" if package in CLI_PACKAGES and "demo" not in sys.argv else "demo"
        sys.stderr.write(f'{package} is not installed: pip install "daxlite[{extra}]"\n')
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
