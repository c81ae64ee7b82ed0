"""What a run of the benchmarks left in its JSON."""

import json
from pathlib import Path
from typing import Any

from benchmarks.interleave import Ratio, median, ratio


class Results:
    """The JSON that pytest-benchmark wrote."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.machine: dict[str, Any] = document["machine_info"]
        self.commit: dict[str, Any] = document["commit_info"]
        self.when: str = document["datetime"]
        self._extra = {benchmark["name"]: benchmark["extra_info"] for benchmark in document["benchmarks"]}

    @classmethod
    def read(cls, path: Path) -> "Results":
        return cls(json.loads(path.read_text()))

    def has(self, test: str) -> bool:
        """Whether this benchmark ran, to its end."""
        return bool(self._extra.get(test))

    def cases(self, test: str) -> dict[str, dict[str, Any]]:
        """What was measured of each case of a comparison, the fastest first."""
        cases: dict[str, dict[str, Any]] = self._extra[test]["cases"]
        return dict(sorted(cases.items(), key=lambda case: median(case[1]["rounds"]).median))

    def not_measured(self, test: str) -> dict[str, str]:
        """The cases that could not be measured, with the reasons."""
        missing: dict[str, str] = self._extra[test].get("not_measured", {})
        return missing

    def figures(self, test: str) -> dict[str, Any]:
        figures: dict[str, Any] = self._extra[test]["figures"]
        return figures

    def ratio(self, test: str, numerator: str, denominator: str) -> Ratio | None:
        """Of two cases, round by round; None if one of them was not measured."""
        cases = self._extra[test]["cases"]
        if numerator not in cases or denominator not in cases:
            return None
        return ratio(cases[numerator]["rounds"], cases[denominator]["rounds"])

    def seconds(self, test: str, case: str) -> Ratio:
        """What a call took, with its range."""
        return median(self._extra[test]["cases"][case]["rounds"])
