"""Which functions of daxlite a call enters: `python -m tests.walk` prints them, `--write` puts them into
CONTRIBUTING.md.

A function counts once, in the order in which it is first entered. Lambdas and comprehensions count as their function.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import fakeredis

import daxlite
from daxlite.aggregations import AggregationCache
from tests.collector import profiled
from tests.scripted_client import ITEM, ScriptedClient, description, made, page

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"
BEGIN, END = "<!-- walk: python -m tests.walk --write -->", "<!-- end of the walk -->"
HOME = Path(daxlite.__file__).parent

Entered = list[tuple[str, str]]
"""Files and functions, in the order in which they were first entered."""


def entered(call: Callable[[], Any]) -> Entered:
    """The functions of daxlite that a call enters in this thread."""
    seen: dict[tuple[str, str], None] = {}

    def note(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(HOME)) and not code.co_name.startswith("<"):
            seen[str(Path(code.co_filename).relative_to(HOME)), code.co_qualname] = None

    with profiled(note):
        call()
    return list(seen)


def walks() -> Iterator[tuple[str, Entered]]:
    """Four calls, each with what it enters. The table is described already, as it is for all calls but the first."""
    client = ScriptedClient(
        schema=None,
        DescribeTable=description("pk", indexes={"by_owner": ("owner", "age")}),
        GetItem=made(Item=ITEM),
        Query=page(ITEM),
        PutItem=made(Attributes=ITEM),
    )
    client.get()
    yield "GetItem, a hit", entered(client.get)
    yield "Query, a miss", entered(client.query)
    yield "PutItem", entered(client.put)
    aggregations = AggregationCache(fakeredis.FakeRedis(), namespace="shop")

    @aggregations.cached(ttl=300)
    def count(partition: str) -> int:
        total: int = client.query()["Count"]
        return total

    yield "An aggregation that is computed from a Query", entered(lambda: count("a"))
    aggregations.close()


def section() -> str:
    """The section of CONTRIBUTING.md."""
    parts = []
    for title, functions in walks():
        files = len({file for file, _ in functions})
        parts.append(f"**{title}** enters {len(functions)} functions in {files} files:\n")
        for file, group in groupby(functions, key=lambda each: each[0]):
            names = ", ".join(f"`{name.replace('.<locals>', '')}`" for _, name in group)
            parts.append(f"- `{file}`: {names}")
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    text = section()
    if "--write" in sys.argv:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")
    else:
        print(text)
