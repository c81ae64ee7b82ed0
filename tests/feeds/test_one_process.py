"""P6 and echoes in one process, whose cache has no tier: the same rules as in tests/interleavings/test_feed_rules.py,
with the excuses in the process's own memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

import daxlite
from daxlite.cache.echoes import MAX_ITEMS, Echoes
from daxlite.cache.memory import MemoryCache
from daxlite.core.changes import Change
from daxlite.core.echoes import MOST
from daxlite.core.tables import Place
from daxlite.core.tags import item_tag
from daxlite.drivers.threads import ThreadDriver
from tests.cache_fixtures import process
from tests.feeds.world import ANN, BOB, World
from tests.simulated_client import KEY, SHAPE, TABLE
from tests.simulator import Simulator


@pytest.fixture(scope="module")
def made() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(made: World) -> World:
    made.start()
    return made


def test_p6_what_another_program_wrote_shows_once_the_feed_told_of_it(world: World) -> None:
    assert (world.n, world.query()["Count"], world.by_owner()["Count"]) == ("0", 1, 1)
    world.others_put(1, **BOB)
    assert world.n == "0"
    world.read()
    assert (world.n, world.query()["Items"][0]["n"]["N"], world.by_owner()["Count"]) == ("1", "1", 0)


def test_p4_a_record_drops_pages_by_partition_and_by_range(world: World) -> None:
    def beyond() -> Any:
        return world.client.query(
            TableName=TABLE,
            KeyConditionExpression="pk = :p AND sk > :s",
            ExpressionAttributeValues={":p": KEY["pk"], ":s": {"N": "5"}},
        )["Count"]

    world.simulator.clock.advance(60.0)
    assert (beyond(), world.by_owner("cid")["Count"], world.query()["Count"], world.query("b")["Count"]) == (0, 0, 1, 0)
    world.others_put(1, **BOB)
    world.read()
    sent = world.sent
    assert (beyond(), world.by_owner("cid")["Count"], world.query("b")["Count"]) == (0, 0, 0)
    assert world.sent == sent, "a page was dropped that the change does not touch"
    assert world.query()["Items"][0]["n"] == {"N": "1"}


def test_p6_a_deletion_shows(world: World) -> None:
    assert world.n == "0"
    world.raw.delete_item(TableName=TABLE, Key=KEY)
    world.read()
    assert "Item" not in world.get()


def test_echo_an_own_write_costs_no_read(world: World) -> None:
    world.put_n(1, **ANN)
    world.update(2)
    assert (world.query()["Count"], world.by_owner()["Count"]) == (1, 1)
    world.read()
    sent = world.sent
    assert (world.n, world.query()["Count"], world.by_owner()["Count"]) == ("2", 1, 1)
    assert (world.sent, world.counts.echoes, world.counts.applied) == (sent, 2, 0)


def test_echo_a_record_that_matches_none_ends_all_excuses(world: World) -> None:
    world.update(0)  # it leaves the item as it was: there is no record of it
    world.others_put(1, **ANN)
    world.read()
    assert world.n == "1"
    world.others_put(0, **ANN)
    world.read()
    assert world.n == "0"


def test_echo_excuses_before_the_one_that_matches_end(world: World) -> None:
    world.update(0)
    world.update(1)
    world.read()
    assert world.n == "1"
    world.others_put(0, **ANN)
    world.read()
    assert world.n == "0"


def test_echo_a_record_bumps_no_more_than_its_excuse_covers(world: World) -> None:
    assert world.by_owner("ann")["Count"] == 1
    world.others_put(1, **BOB)
    world.update(1)  # it finds the item as it leaves it, at Bob's
    world.read()
    assert world.by_owner("ann")["Count"] == 0


def test_echo_a_gap_ends_all_excuses(world: World) -> None:
    world.update(1)
    world.others_put(2, **ANN)
    world.lose()
    assert world.n == "2"
    world.others_put(1, **ANN)
    world.read()
    assert world.n == "1"


@pytest.mark.parametrize("write", [World.update, lambda world, n: world.put_n(n, **BOB)])
def test_echo_without_old_images_what_may_have_no_record_leaves_no_excuse(
    made: World, write: Callable[[World, int], None]
) -> None:
    made.start("NEW_IMAGE")
    assert made.by_owner("ann")["Count"] == 1
    made.others_put(1, **BOB)
    write(made, 1)
    made.read()
    assert made.by_owner("ann")["Count"] == 0


def test_echo_a_write_that_its_record_overtakes_leaves_no_excuse(world: World) -> None:
    raw_call = world.raw._make_api_call

    def overtaken(operation: str, params: Any) -> Any:
        response = raw_call(operation, params)
        if operation == "UpdateItem":  # before its reply is seen, others write and all of that is heard of
            world.others_put(2, **ANN)
            world.read()
        return response

    world.raw._make_api_call = overtaken
    try:
        world.update(1)
    finally:
        del world.raw._make_api_call
    assert world.n == "2"
    world.others_put(1, **ANN)
    world.read()
    assert world.n == "1"


def test_echo_a_writer_that_ends_while_its_record_is_taken_leaves_no_excuse(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, go = threading.Event(), threading.Event()
    hear, raw_call = MemoryCache.hear, world.raw._make_api_call
    threads: list[threading.Thread] = []

    def hear_later(self: MemoryCache, *changes: Change, is_ordered: bool) -> Any:
        looked.set()
        assert go.wait(10)
        return hear(self, *changes, is_ordered=is_ordered)

    def call(operation: str, params: Any) -> Any:
        response = raw_call(operation, params)
        if operation == "UpdateItem":  # applied; its reply is under way
            world.others_put(2, **ANN)
            threads.append(threading.Thread(target=world.read))
            threads[0].start()
            assert looked.wait(10)  # the follower has seen no excuse
        return response

    monkeypatch.setattr(MemoryCache, "hear", hear_later)
    world.raw._make_api_call = call
    try:
        world.update(1)
    finally:
        del world.raw._make_api_call
    go.set()
    threads[0].join()
    monkeypatch.undo()
    assert world.n == "2"
    world.others_put(1, **ANN)
    world.read()
    assert world.n == "1"


def test_echo_a_write_that_began_in_another_epoch_leaves_no_excuse(world: World) -> None:
    raw_call = world.raw._make_api_call

    def call(operation: str, params: Any) -> Any:
        response = raw_call(operation, params)
        if operation == "UpdateItem":
            world.others_put(2, **ANN)
            world.records = []  # both are lost
            world.epoch(2)  # and everything of the table is about to be dropped
        return response

    world.raw._make_api_call = call
    try:
        world.update(1)
    finally:
        del world.raw._make_api_call
    ThreadDriver().drive(world.table.flush())
    assert world.n == "2"
    world.others_put(1, **ANN)
    world.read()
    assert world.n == "1"


def test_echo_another_account_excuses_nothing(world: World) -> None:
    elsewhere, raw = Simulator(), world.raw
    other = boto3.client(
        "dynamodb",
        region_name=raw.meta.region_name,
        endpoint_url=raw.meta.endpoint_url,
        aws_access_key_id="another",
        aws_secret_access_key="secret",
    )
    elsewhere.connect(other)
    other.create_table(TableName=TABLE, **SHAPE)
    client = daxlite.wrap(other, world.cache)
    assert world.n == "0"
    client.put_item(TableName=TABLE, Item={**KEY, "n": {"N": "1"}, **ANN})
    assert world.n == "0"
    world.others_put(1, **ANN)
    world.read()
    assert world.n == "1"
    other.close()


def test_echo_without_old_images_the_order_of_a_set_makes_no_other_item(made: World) -> None:
    made.start("NEW_IMAGE")
    made.others_put(1, **ANN, s={"SS": ["a", "b"]})
    made.read()
    assert made.by_owner("ann")["Count"] == 1
    made.others_put(1, **BOB, s={"SS": ["a", "b"]})
    moved = made.records
    made.put_n(1, **BOB, s={"SS": ["b", "a"]})  # it finds the item as it leaves it: DynamoDB has no record of it
    made.records = moved[:1]
    made.read()
    assert made.by_owner("ann")["Count"] == 0


def test_echo_without_old_images_a_foreign_record_is_made_up_for_while_own_writes_go_on(made: World) -> None:
    made.start("NEW_IMAGE")
    assert made.by_owner("ann")["Count"] == 1
    made.others_put(1, **BOB)
    late: list[dict[str, Any]] = []

    def write() -> None:
        made.put_n(2, **BOB)
        made.put_n(1, **BOB)
        late.extend(made.records)
        made.records = []

    late.extend(made.records)
    made.records = []
    for _ in range(3):
        write()
    for _ in range(20):  # each record is read six writes late
        write()
        made.records, late[:] = late[:2], late[2:]
        made.read()
    assert made.by_owner("ann")["Count"] == 0


def test_spare_an_item_that_is_stored_as_the_record_shows_it_stays_and_its_pages_go(world: World) -> None:
    assert world.query()["Items"][0]["n"]["N"] == "0"
    part = world.get(ProjectionExpression="n")["Item"]
    world.others_put(1, **ANN)
    assert world.get(ConsistentRead=True)["Item"]["n"]["N"] == "1"
    world.simulator.clock.advance(60.0)
    world.drop_item()
    world.simulator.clock.advance(60.0)
    assert world.n == "1"
    world.read()
    sent = world.sent
    assert world.n == "1"
    assert world.sent == sent, "the item did not stay"
    assert world.query()["Items"][0]["n"]["N"] == "1"
    assert part != world.get(ProjectionExpression="n")["Item"]


def test_caches_of_one_process_hear_what_one_of_them_is_told() -> None:
    with process():
        world = World()
        try:
            world.start()
            other = daxlite.wrap(world.raw, daxlite.Cache(world.cache.config, clock=world.simulator.clock.now))
            assert other.get_item(TableName=TABLE, Key=KEY)["Item"]["n"]["N"] == "0"
            world.others_put(1, **ANN)
            world.read()
            assert other.get_item(TableName=TABLE, Key=KEY)["Item"]["n"]["N"] == "1"
        finally:
            world.close()


def test_the_excuses_of_a_process_are_bounded() -> None:
    echoes, place = Echoes(), Place("eu-west-1", "Orders")
    for number in range(MAX_ITEMS + 10):
        echoes.excuse(item_tag(place, b"%d" % number), b"x" * 16)
    for _ in range(20):
        echoes.excuse(item_tag(place, b"often"), b"y" * 16)
    assert len(echoes._excuses) == MAX_ITEMS
    taken = [echoes.is_excused(item_tag(place, b"often"), lambda: [b"y" * 16]) for _ in range(20)]
    assert sum(taken) == MOST


def test_without_a_follower_no_excuse_is_kept(world: World) -> None:
    world.cache._memory.echoes.leave(world.table.table.id)
    world.update(5)
    assert not world.cache._memory.echoes._excuses
