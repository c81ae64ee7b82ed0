"""`python -m daxlite` and the `daxlite` script."""

import sys

# The packages of the `demo` extra. A failed import of any other is a fault, and keeps its traceback.
DEMO_PACKAGES = frozenset({"typer", "click", "rich", "moto", "flask", "werkzeug", "redis", "fakeredis"})


def main() -> None:
    """Run the command line. Without the `demo` extra, print one line that says what to install, and exit with 2."""
    try:
        from daxlite.cli import app

        app()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in DEMO_PACKAGES:
            raise
        sys.stderr.write(f'{package} is not installed: pip install "daxlite[demo]"\n')
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
