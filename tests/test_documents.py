"""The code blocks of the README and of the pages in docs run as they are, and every link has a target."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.conftest import chosen_edges
from tests.differential.tables import attributes, index, keys
from tests.valkey import Valkey

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
WITH_CODE = [page for page in PAGES if "```python" in page.read_text()]
WITH_CODE = [page for page in WITH_CODE if page.stem not in ("testing", "recipes")]
"""The code of docs/testing.md is tests itself, which tests/testing runs; tests/recipes runs that of docs/recipes.md."""
MAX_README = 900


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page_with_code" in metafunc.fixturenames:
        pages = [page for page in WITH_CODE if page.stem != "asyncio" or "asyncio" in chosen_edges(metafunc.config)]
        metafunc.parametrize("page_with_code", pages, ids=lambda page: page.name)


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub names them."""
    headings = re.findall(r"^#+ +(.*)$", prose(page.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture
def orders(embedded: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The table of the examples, on a server that boto3 finds by the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL_DYNAMODB": embedded,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="Orders",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=keys("pk"),
        AttributeDefinitions=attributes(pk="S", day="S"),
        GlobalSecondaryIndexes=[index("by_day", "day")],
    )
    order = {"pk": "o#1", "day": "2026-11-22", "customer": "c#1"}
    client.put_item(
        TableName="Orders", Item={**{name: {"S": text} for name, text in order.items()}, "total": {"N": "9.5"}}
    )
    yield
    client.delete_table(TableName="Orders")
    client.close()


@pytest.mark.usefixtures("orders")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # an example closes nothing
def test_the_code_of_a_page_runs(page_with_code: Path, valkey: Valkey, namespace: str) -> None:
    page = page_with_code
    scope: dict[str, Any] = {"__name__": f"{namespace}_{page.stem}"}
    code = re.findall(r"^```python\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for block in code:
        here = block.replace("redis://localhost:6379/0", valkey.url).replace(
            'namespace="shop"', f'namespace="{namespace}"'
        )
        exec(compile(here, page.name, "exec"), scope)  # noqa: S102 - the code is that of the documents
    for thing in list(scope.values()):
        if type(thing).__name__ == "AggregationCache":
            thing.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_has_a_target(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith("http"):
            path, _, anchor = target.partition("#")
            found = (page.parent / path).resolve() if path else page
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_and_example_that_a_page_names_exists(page: Path) -> None:
    for name in re.findall(r"`((?:tests|examples|benchmarks)/[\w/.]*)`", page.read_text()):
        assert (ROOT / name).exists(), name


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= MAX_README
