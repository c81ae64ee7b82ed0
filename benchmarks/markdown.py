"""Tables in Markdown, and sections of a page that are generated on their own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """words: how many of the columns are text.

    >>> print(table(["", "n"], [["a", "1"]]))
    |  | n |
    | --- | ---: |
    | a | 1 |
    """
    lines = [head, [*["---"] * words, *["---:"] * (len(head) - words)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


@dataclass(frozen=True)
class Section:
    """What stands between two lines of a page.

    >>> print(Section("<!-- a -->", "<!-- /a -->").put_into("page", "text"), end="")
    page
    <BLANKLINE>
    <!-- a -->
    <BLANKLINE>
    text
    <BLANKLINE>
    <!-- /a -->
    """

    begin: str
    end: str

    def of(self, page: str) -> str:
        """The section's text; empty if the page has none."""
        return page.partition(self.begin)[2].partition(self.end)[0].strip()

    def put_into(self, page: str, text: str) -> str:
        """The page with this text as its section: where it was, or at the end. Without text there is no section."""
        before, _, rest = page.partition(self.begin)
        after = rest.partition(self.end)[2].strip()
        whole = f"{self.begin}\n\n{text}\n\n{self.end}" if text else ""
        return "\n\n".join(part for part in (before.strip(), whole, after) if part) + "\n"
