"""Dependencies by hand reach a table where it is: in a region that is named, or in all that the process knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daxlite.aggregations import Dependency, dependencies, on_item, on_partition, on_table
from daxlite.cache import regions
from daxlite.core.extents import EVERYTHING
from daxlite.core.tables import Place
from daxlite.core.tags import table_tag
from daxlite.drivers.threads import ThreadDriver
from tests.aggregations.scripted import Counted, Process, World

IRELAND, VIRGINIA = "eu-west-1", "us-east-1"
ARN = f"arn:aws:dynamodb:{IRELAND}:123456789012:table/T"

Know = Callable[..., None]


@pytest.fixture
def know(monkeypatch: pytest.MonkeyPatch) -> Know:
    """Lets the process know these regions and no others."""

    def know(*names: str) -> None:
        monkeypatch.setattr(regions, "_known", dict.fromkeys(names))

    know()
    return know


def change(process: Process, region: str) -> None:
    """A wrapped client of the process changed the table in a region."""
    ThreadDriver().drive(process.cache.changed({table_tag(Place(region, "T")): EVERYTHING}))


@pytest.mark.parametrize(
    "dependency",
    [
        on_table("T", region=IRELAND),
        on_table(ARN),
        on_table(ARN, region=IRELAND),
        on_item("T", {"pk": "a"}, region=IRELAND),
        on_item(ARN, {"pk": "a"}),
        on_partition("T", {"pk": "a"}, region=IRELAND),
        on_partition(ARN, {"day": "a"}, "by_day"),
    ],
)
def test_p4_a_change_in_another_region_is_none_of_its_business(
    world: World, know: Know, dependency: Dependency
) -> None:
    know(IRELAND, VIRGINIA)
    process, source = world.process(), Counted()
    total = process.cache.cached(depends_on=[dependency])(source)
    total()
    change(process, VIRGINIA)
    total()
    assert source.calls == 1
    change(process, IRELAND)
    total()
    assert source.calls == 2


def test_p5_without_a_region_it_is_in_every_region_that_is_known(world: World, know: Know) -> None:
    know(IRELAND, VIRGINIA, "")
    process, source = world.process(), Counted()
    total = process.cache.cached(depends_on=[on_table("T")])(source)
    total()
    for region in (IRELAND, VIRGINIA, ""):
        change(process, region)
        calls = source.calls
        total()
        assert source.calls == calls + 1, region


def test_p5_an_endpoint_without_a_region_is_always_meant(world: World, know: Know) -> None:
    """Such as DynamoDB Local, where a client's region means nothing."""
    know("")
    process, source = world.process(), Counted()
    total = process.cache.cached(depends_on=[on_table("T", region=IRELAND)])(source)
    total()
    change(process, "")
    total()
    assert source.calls == 2


@pytest.mark.parametrize("is_a_function", [False, True])
def test_p5_a_region_that_becomes_known_later_counts_from_the_next_call(
    world: World, know: Know, is_a_function: bool
) -> None:
    know(IRELAND)
    process, source = world.process(), Counted()
    depends_on: Any = (lambda: [on_table("T")]) if is_a_function else [on_table("T")]
    total = process.cache.cached(depends_on=depends_on)(source)
    total()
    know(IRELAND, VIRGINIA)
    total()
    assert source.calls == 2, "the result would not hear of changes in the other region"
    total()
    assert source.calls == 2
    change(process, VIRGINIA)
    total()
    assert source.calls == 3


def test_p5_before_there_is_a_client_it_is_the_region_of_the_session(
    world: World, know: Know, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "_default_region", lambda: VIRGINIA)
    dependencies._shared_tags_of.cache_clear()  # it may have been another one before
    process, source = world.process(), Counted()
    total = process.cache.cached(depends_on=[on_table("T")])(source)
    total()
    change(process, VIRGINIA)
    total()
    assert source.calls == 2
    dependencies._shared_tags_of.cache_clear()


@pytest.mark.parametrize("near_bytes", [0, 2**20])
def test_processes_that_know_different_regions_share_a_result(world: World, know: Know, near_bytes: int) -> None:
    """They must not make each other compute forever."""
    one, other = world.process(near_bytes=near_bytes), world.process(near_bytes=near_bytes)
    source = Counted()
    functions = [
        process.cache.cached(name="f", depends_on=[on_table("T")], early_refresh=0)(source) for process in (one, other)
    ]

    def call_both() -> None:
        for function, region in zip(functions, (IRELAND, VIRGINIA), strict=True):
            know(region)
            function()

    for _ in range(5):
        call_both()
    assert source.calls == 2, "the second result serves both"
    for number, region in enumerate((IRELAND, VIRGINIA)):
        change((one, other)[1 - number], region)
        calls = source.calls
        for _ in range(5):
            call_both()
        assert calls < source.calls <= calls + 2, f"a change in {region}"


def test_a_region_is_looked_up_again_only_when_another_one_is_known(
    world: World, know: Know, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(IRELAND)
    look, looked = dependencies.places_of, []

    def count(*arguments: Any) -> Any:
        looked.append(arguments)
        return look(*arguments)

    monkeypatch.setattr(dependencies, "places_of", count)
    cache = world.process().cache
    dependencies._shared_tags_of.cache_clear()
    total = cache.cached(depends_on=[on_table("T")])(Counted())
    assert not looked, "there may be no client yet"
    for _ in range(3):
        total()
        cache.get_or_compute("k", lambda: 1, depends_on=[on_table("T")])
    assert len(looked) == 1
    know(IRELAND, VIRGINIA)
    for _ in range(3):
        total()
    assert len(looked) == 2


@pytest.mark.parametrize(
    ("table", "region", "text"),
    [
        ("T", "", "region is ''"),
        ("T", 5, "region is 5"),
        (ARN, VIRGINIA, "region is 'us-east-1', and the ARN is of a table in eu-west-1"),
        ("arn:aws:s3:::T", None, "not the ARN of a table"),
    ],
)
def test_a_region_that_cannot_be_is_an_error_where_it_is_written(table: str, region: Any, text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        on_table(table, region=region)
