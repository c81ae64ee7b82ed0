"""The lists of removals, and the pages of the documentation that show them."""

from pathlib import Path
from typing import Final, NamedTuple

from tests.removals.removal import ROOT, Removal, in_words, removals_of

BEGIN: Final = "<!-- removals: python -m tests.removals --write -->"
END: Final = "<!-- end of the removals -->"


class List(NamedTuple):
    """The removals of one page."""

    page: Path
    removals: list[Removal]

    def table(self) -> str:
        """The table of the page."""
        rows = [f"| {each.guard} | {in_words(each.tests)} |" for each in self.removals]
        return "\n".join((BEGIN, "", "| the guard | caught by |", "|---|---|", *rows, "", END))

    def written(self) -> str:
        """The text of the page with this table in the place of the one that it has."""
        before, _, rest = self.page.read_text(encoding="utf-8").partition(BEGIN)
        return before + self.table() + rest.partition(END)[2]


def _list(name: str) -> List:
    text = (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")
    return List(ROOT / "docs" / f"{name}.md", removals_of(text))


LISTS: Final = (_list("consistency"), _list("shared"), _list("feeds"), _list("aggregations"))
REMOVALS: Final = [removal for each in LISTS for removal in each.removals]
