"""Hit ratios. Nothing here depends on the machine."""

from typing import Any

from benchmarks.conftest import Record
from benchmarks.policies import POLICIES, SIZES, WORKLOADS, hit_ratio, hit_ratio_of_daxlite


def test_hit_ratio(record: Record) -> None:
    def measure() -> dict[str, Any]:
        figures: dict[str, Any] = {}
        for words, workload in WORKLOADS.items():
            reads = list(workload)
            for share in SIZES:
                size = round(share * workload.items)
                ratios = {name: hit_ratio(make(size), reads) for name, make in POLICIES.items()}
                figures[f"{words}, room for {share:.0%}"] = {"daxlite": hit_ratio_of_daxlite(size, reads), **ratios}
        return {"hit_ratios": figures}

    record(measure)
