"""The lowest versions that pyproject.toml allows of what daxlite and its extras need, as constraints for pip.

    python -m tools.lowest > constraints.txt

What the developers need on top has the versions that pip chooses.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

PYPROJECT: Final = Path(__file__).resolve().parent.parent / "pyproject.toml"

DEVELOPERS: Final = ("dev", "tests", "bench")
"""The extras that no user installs."""

_REQUIREMENT: Final = re.compile(
    r"(?P<name>[\w.-]+)(\[[\w,-]+\])?(>=(?P<lowest>[\d.]+))?(?P<rest>[^;]*)(;(?P<when>.*))?"
)


def lowest(requirements: Iterable[str]) -> Iterator[str]:
    """A constraint for each requirement but those on daxlite itself.

    Raises ValueError for a requirement that has no lowest version, or one that is not understood.

    >>> list(lowest(["boto3>=1.35", "daxlite[redis]", "moto[server]>=5.2; sys_platform == 'linux'"]))
    ['boto3==1.35', "moto==5.2; sys_platform == 'linux'"]
    """
    for requirement in requirements:
        found = _REQUIREMENT.fullmatch(requirement)
        if found is not None and found["name"] == "daxlite":
            continue
        if found is None or found["lowest"] is None or (found["rest"] and not found["rest"].startswith(",")):
            raise ValueError(f"{requirement!r} must have a lowest version, such as 'boto3>=1.35'")
        yield f"{found['name']}=={found['lowest']}" + (f";{found['when']}" if found["when"] else "")


def constraints(pyproject: str) -> list[str]:
    """The constraints that follow from the text of a pyproject.toml, without repetitions."""
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    users = [extra for name, extra in extras.items() if name not in DEVELOPERS]
    return sorted({line for group in (project["dependencies"], *users) for line in lowest(group)})


if __name__ == "__main__":
    print("\n".join(constraints(PYPROJECT.read_text("utf-8"))))
