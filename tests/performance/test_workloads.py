"""The table of workloads in its small form: no answer is wrong, and the judge would find one that is."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from benchmarks.markdown import Section
from benchmarks.workloads import report
from benchmarks.workloads.__main__ import PAGE, ROWS
from benchmarks.workloads.calls import Read, Write
from benchmarks.workloads.common import Counters, GlobalIndex, Timelines
from benchmarks.workloads.dynamodb import LAG, DynamoDB
from benchmarks.workloads.ideal import Ideal
from benchmarks.workloads.judge import Judge
from benchmarks.workloads.run import Result, Runner, Wrap, daxlite_cache
from benchmarks.workloads.workload import Workload
from benchmarks.workloads.ycsb import YCSB
from daxlite import CacheConfig
from tests.simulator import Simulator

FEW = 250
FEW_USERS = Timelines(users=20)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.close()


@pytest.mark.parametrize(("workload", "rate"), ROWS, ids=[f"{workload.name} {rate:g}" for workload, rate in ROWS])
def test_no_answer_is_wrong_and_no_hit_is_beyond_the_ideal(runner: Runner, workload: Workload, rate: float) -> None:
    result = runner.run(workload, operations=FEW, rate=rate)
    assert result.wrong == 0, result.first_wrong
    assert result.faults == 0
    assert 0 < result.hits <= result.ideal < result.reads
    assert result.units_without > 0


def test_the_same_seed_gives_the_same_figures(runner: Runner) -> None:
    first, second, other = (runner.run(FEW_USERS, operations=FEW, seed=seed) for seed in (5, 5, 6))
    assert first == second
    assert first != other


class Forever:
    """A cache that never hears of a change."""

    def __init__(self, dynamodb: DynamoDB) -> None:
        self._client = dynamodb.client
        self._kept: dict[str, Any] = {}

    def _make_api_call(self, operation: str, params: dict[str, Any]) -> Any:
        if operation not in ("GetItem", "Query"):
            return self._client._make_api_call(operation, params)
        name = Read(operation, params).name
        if name not in self._kept:
            self._kept[name] = self._client._make_api_call(operation, params)
        return self._kept[name]


def forever(dynamodb: DynamoDB) -> tuple[Any, Callable[[], int]]:
    return Forever(dynamodb), lambda: 0


def no_cache(dynamodb: DynamoDB) -> tuple[Any, Callable[[], int]]:
    return dynamodb.client, lambda: 0


BROKEN = {
    "never hears of a change": (forever, (FEW_USERS, GlobalIndex(), Counters(), YCSB[0])),
    # What is read from a late replica, or from an index that settles, stays.
    "does not wait until it has settled": (
        daxlite_cache(CacheConfig(settle_window=0, jitter=0)),
        (FEW_USERS, GlobalIndex()),
    ),
    "leaves queries alone": (
        daxlite_cache(CacheConfig(query_invalidation="ttl", jitter=0)),
        (FEW_USERS, GlobalIndex()),
    ),
    # A client without a cache does not read its own writes.
    "is not there": (no_cache, (FEW_USERS, Counters())),
}


@pytest.mark.parametrize(
    ("wrap", "workload"),
    [
        pytest.param(wrap, workload, id=f"{workload.name}: {how}")
        for how, (wrap, workloads) in BROKEN.items()
        for workload in workloads
    ],
)
def test_the_judge_finds_the_wrong_answers_of_a_broken_cache(runner: Runner, wrap: Wrap, workload: Workload) -> None:
    # 10 a second: a stale page of the index outlives what the index itself may show.
    result = runner.run(workload, operations=2 * FEW, rate=10, wrap=wrap)
    assert result.wrong > 0
    assert result.first_wrong
    assert not result.is_right


def test_an_index_without_a_cache_is_never_wrong(runner: Runner) -> None:
    result = runner.run(GlobalIndex(), operations=FEW, rate=10, wrap=no_cache)
    assert (result.wrong, result.hits, result.units) == (0, 0, result.units_without)
    assert result.ideal > 0


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture(scope="module")
def client(simulator: Simulator) -> Iterator[Any]:
    client = simulator.client()
    yield client
    client.close()


@pytest.fixture
def dynamodb(simulator: Simulator, client: Any) -> Iterator[DynamoDB]:
    dynamodb = DynamoDB(simulator, client)
    with dynamodb.connected():
        yield dynamodb


def loaded(dynamodb: DynamoDB, workload: Workload) -> Random:
    dynamodb.simulator.answer("CreateTable", dict(workload.shape))
    for write in workload.load():
        dynamodb.write(write)
    dynamodb.simulator.clock.advance(60)
    return Random(5)


def test_an_index_may_be_late_by_twice_its_lag_and_a_table_by_nothing(dynamodb: DynamoDB) -> None:
    loaded(dynamodb, GlobalIndex(items=2, groups=1))
    group, item = GlobalIndex().group(0), Read.item("Things", {"id": {"S": "id#0"}})
    judge = Judge(dynamodb)
    old_group, old_item = (dynamodb.answers.now(read).response for read in (group, item))
    assert judge.is_right(group, old_group)
    assert judge.is_right(item, old_item)
    change(dynamodb, 0)
    assert not judge.is_right(item, old_item)
    assert judge.is_right(group, old_group)
    dynamodb.simulator.clock.advance(2 * LAG)
    assert judge.is_right(group, old_group)
    dynamodb.simulator.clock.advance(0.01)
    assert not judge.is_right(group, old_group)
    assert judge.is_right(group, dynamodb.answers.now(group).response)


def test_an_index_without_a_lag_may_be_kept_for_20_ms(dynamodb: DynamoDB) -> None:
    loaded(dynamodb, GlobalIndex(items=2, groups=1))
    group = GlobalIndex().group(0)
    dynamodb.simulator.replicas.index_lag = 0.0
    judge = Judge(dynamodb)
    old = dynamodb.answers.now(group).response
    change(dynamodb, 0)
    dynamodb.simulator.clock.advance(0.02)
    assert judge.is_right(group, old)
    dynamodb.simulator.clock.advance(0.001)
    assert not judge.is_right(group, old)


def test_each_state_of_an_index_is_right_and_a_mix_of_two_is_not(dynamodb: DynamoDB) -> None:
    loaded(dynamodb, GlobalIndex(items=2, groups=1))
    group = GlobalIndex().group(0)
    judge = Judge(dynamodb)
    states = [dynamodb.answers.now(group).response]
    for number in range(2):
        dynamodb.simulator.clock.advance(0.5)
        change(dynamodb, number)
        states.append(dynamodb.answers.now(group).response)
    assert all(judge.is_right(group, state) for state in states)
    mix = {**states[0], "Items": [states[0]["Items"][0], states[2]["Items"][1]]}
    assert not judge.is_right(group, mix)
    assert not judge.is_right(group, {**states[2], "Count": 1})


def change(dynamodb: DynamoDB, item: int) -> None:
    request = {"TableName": "Things", "Item": {"id": {"S": f"id#{item}"}, "group": {"S": "group#0"}}}
    dynamodb.write(Write("PutItem", request, {"id": {"S": f"id#{item}"}}))


@pytest.mark.parametrize("workload", [*dict.fromkeys(workload for workload, _ in ROWS)], ids=lambda each: each.name)
def test_answers_are_those_of_the_simulator_at_every_moment(dynamodb: DynamoDB, workload: Workload) -> None:
    rng = loaded(dynamodb, workload)
    reads: list[Read] = []
    operations = workload.operations(rng)
    history = dynamodb.simulator.history
    loaded_at = history.now
    for _ in range(FEW // 4):
        for call in next(operations):
            if isinstance(call, Read):
                reads.append(call)
            else:
                dynamodb.write(call)
            for read in rng.sample(reads, min(2, len(reads))):
                for tick in (history.now, rng.randint(loaded_at, history.now)):
                    truth = dynamodb.simulator.answer_at(tick, read.operation, read.request)
                    assert dynamodb.answers.at(tick, read).response == truth


def test_answers_follow_an_item_from_one_partition_of_an_index_to_another(dynamodb: DynamoDB) -> None:
    loaded(dynamodb, GlobalIndex(items=2, groups=1))
    groups = [GlobalIndex().group(number) for number in range(2)]
    assert [dynamodb.answers.now(group).response["Count"] for group in groups] == [2, 0]
    request = {"TableName": "Things", "Item": {"id": {"S": "id#0"}, "group": {"S": "group#1"}}}
    dynamodb.write(Write("PutItem", request, {"id": {"S": "id#0"}}))
    assert [dynamodb.answers.now(group).response["Count"] for group in groups] == [1, 1]


class TestIdeal:
    READ = Read.item("Things", {"id": {"S": "id#0"}})

    def test_knows_what_was_asked_within_the_ttl(self, dynamodb: DynamoDB) -> None:
        loaded(dynamodb, GlobalIndex())
        ideal = Ideal(dynamodb.answers, ttl=10)
        assert [ideal.asks(self.READ, moment) for moment in (0, 10, 20, 31)] == [False, True, True, False]

    def test_does_not_know_what_has_changed_since_but_by_its_own_write(self, dynamodb: DynamoDB) -> None:
        loaded(dynamodb, GlobalIndex())
        ideal = Ideal(dynamodb.answers, ttl=10)
        ideal.asks(self.READ, 0)
        change(dynamodb, 0)
        assert not ideal.asks(self.READ, 1)
        dynamodb.write(Write("PutItem", {"TableName": "Things", "Item": {"id": {"S": "id#0"}}}, {}))
        ideal.writes(self.READ, 2)
        assert ideal.asks(self.READ, 3)

    def test_knows_an_answer_that_came_back(self, dynamodb: DynamoDB) -> None:
        loaded(dynamodb, GlobalIndex(items=2, groups=1))
        change(dynamodb, 0)
        ideal = Ideal(dynamodb.answers, ttl=10)
        ideal.asks(self.READ, 0)
        dynamodb.write(Write("PutItem", {"TableName": "Things", "Item": {"id": {"S": "id#0"}}}, {}))
        change(dynamodb, 0)
        assert ideal.asks(self.READ, 1)


def test_a_write_that_changes_nothing_changes_no_answer(dynamodb: DynamoDB) -> None:
    loaded(dynamodb, GlobalIndex(items=2, groups=1))
    group = GlobalIndex().group(0)
    change(dynamodb, 0)
    change(dynamodb, 1)
    before = dynamodb.answers.now(group)
    change(dynamodb, 0)
    assert dynamodb.answers.now(group) is before


def test_the_page_has_each_row_and_no_wrong_answer() -> None:
    rows = [line for line in report.SECTION.of(PAGE.read_text()).splitlines() if line.startswith("|")][2:]
    names = [report.row(Result(workload.name, rate))[0] for workload, rate in ROWS]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == names
    assert {row[-1] for row in cells} == {"0"}


def test_a_section_stays_where_it_is() -> None:
    section = Section("<!-- begin -->", "<!-- end -->")
    page = section.put_into("# Title\n", "old")
    assert page == "# Title\n\n<!-- begin -->\n\nold\n\n<!-- end -->\n"
    page += "\nmore\n"
    assert section.put_into(page, "new") == page.replace("old", "new")
    assert section.of(page) == "old"
    assert section.put_into("# Title\n", section.of("no section")) == "# Title\n"
    assert section.put_into(page, "") == "# Title\n\nmore\n"
    text = PAGE.read_text()
    assert report.SECTION.put_into(text, report.SECTION.of(text)) == text
