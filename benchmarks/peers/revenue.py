"""The computation whose result all caches of results keep: of each of twenty customers, what they spent."""


def revenue(day: str) -> dict[str, float]:
    return {f"customer#{number}": 129.95 * number for number in range(20)}


DAY = "2026-11-22"
EXPECTED = revenue(DAY)
