"""Settings of tables that are replaced while the cache is in use."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.latch import Latch
from tests import invariants
from tests.calls.test_reentry import interrupting
from tests.interrupting import Limit, answers_elsewhere, interrupted
from tests.scripted_client import ITEM, KEY, TABLE, ScriptedClient, description, made, page

HOME = str(Path(daxlite.__file__).parent)
OLD, NEW = {**ITEM, "v": {"S": "old"}}, {**ITEM, "v": {"S": "new"}}
SCHEMA = TableSchema(KeySchema.of("pk"), {"by_owner": KeySchema.of("owner", "age")})
ON, OFF = TableConfig(schema=SCHEMA), TableConfig(schema=SCHEMA, enabled=False)
PATIENCE = 10.0


class Shop(ScriptedClient):
    """A client on a DynamoDB of one item, which is OLD until a write. Something may happen while a call is sent."""

    def __init__(self, table: TableConfig = ON, **config: Any) -> None:
        super().__init__(config={"settle_window": 0, "tables": {TABLE: table}, **config}, dynamodb=self._answer)
        self.item = OLD
        self.meanwhile: Callable[[], Any] = lambda: None
        self.sent: list[str] = []

    def _answer(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.sent.append(operation)
        answer: dict[str, Any] = {
            "GetItem": lambda: made(Item=self.item),
            "Query": lambda: page(self.item),
            "Scan": lambda: page(self.item),
            "BatchGetItem": lambda: made(Responses={TABLE: [self.item]}, UnprocessedKeys={}),
            "DescribeTable": lambda: description("pk", indexes={"by_owner": ("owner", "age")}),
            "DescribeTimeToLive": lambda: made(TimeToLiveDescription={"TimeToLiveStatus": "DISABLED"}),
        }.get(operation, made)()
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()  # a read has seen what was there before, a write is not applied yet
        if operation not in READS_SENT:
            self.item = NEW
        return answer

    def configure(self, *tables: TableConfig) -> None:
        """Replace the settings of the table, one after the other."""
        for each in tables:
            self.cache.configure(tables={TABLE: each})

    @property
    def entries(self) -> int:
        return len(self.memory._state.entries)


PUT = {"TableName": TABLE, "Item": NEW}
READS_SENT = ("GetItem", "Query", "Scan", "BatchGetItem", "DescribeTable", "DescribeTimeToLive")
READS: dict[str, Callable[[Shop], Any]] = {
    "an item": lambda shop: shop.get(),
    "a projection": lambda shop: shop.get(ProjectionExpression="v"),
    "a query": lambda shop: shop.query(),
    "a query of an index": lambda shop: shop.by_owner("ann"),
    "a scan": lambda shop: shop("Scan"),
    "a batch": lambda shop: shop("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY]}}),
}
WRITES: dict[str, Callable[[Shop], Any]] = {
    "a put": lambda shop: shop.put(NEW),
    "an update": lambda shop: shop("UpdateItem", Key=KEY, UpdateExpression="REMOVE v"),
    "a delete": lambda shop: shop("DeleteItem", Key=KEY),
    "a batch": lambda shop: shop("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": NEW}}]}),
    "a transaction": lambda shop: shop("TransactWriteItems", TransactItems=[{"Put": PUT}]),
    "a statement": lambda shop: shop("ExecuteStatement", Statement='DELETE FROM "T"'),
}
SWITCHED = pytest.mark.parametrize("switched", [(OFF,), (OFF, ON)], ids=["off", "off and on"])


# On and off


@pytest.mark.parametrize("read", READS)
def test_a_table_that_is_switched_off_is_dropped_and_starts_empty(read: str) -> None:
    shop = Shop()
    READS[read](shop)
    READS[read](shop)
    assert len(shop.sent) == 1
    shop.configure(OFF)
    assert shop.entries == 0, "its memory is free"
    READS[read](shop)
    assert (len(shop.sent), shop.entries) == (2, 0)
    shop.configure(ON)
    READS[read](shop)
    assert len(shop.sent) == 3, "an entry of before never comes back"
    READS[read](shop)
    assert len(shop.sent) == 3


def test_another_table_keeps_what_is_cached_of_it() -> None:
    shop = Shop()
    shop.get(TableName="Other")
    shop.get()
    shop.configure(OFF)
    assert shop.is_hit(shop.get(TableName="Other"))


@SWITCHED
@pytest.mark.parametrize("read", READS)
def test_p3_what_is_being_read_meanwhile_is_not_stored(read: str, switched: tuple[TableConfig, ...]) -> None:
    shop = Shop()
    shop.meanwhile = lambda: shop.configure(*switched)
    READS[read](shop)
    assert shop.entries == 0
    shop.configure(ON)
    READS[read](shop)
    assert len(shop.sent) == 2


@pytest.mark.parametrize("read", READS)
def test_a_read_that_found_the_table_on_and_starts_once_it_is_off_is_not_stored(
    read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop()
    flight = shop.memory.read_flight

    def switched_off(*arguments: Any, **named: Any) -> Any:
        monkeypatch.undo()
        shop.configure(OFF)
        return flight(*arguments, **named)

    monkeypatch.setattr(type(shop.memory), "read_flight", lambda memory, *given, **named: switched_off(*given, **named))
    READS[read](shop)
    assert (len(shop.sent), shop.entries) == (1, 0)


@SWITCHED
@pytest.mark.parametrize("write", WRITES)
def test_p3_what_is_being_written_meanwhile_is_not_stored(write: str, switched: tuple[TableConfig, ...]) -> None:
    shop = Shop()
    shop.meanwhile = lambda: shop.configure(*switched)
    WRITES[write](shop)
    assert shop.entries == 0
    shop.configure(ON)
    assert shop.get()["Item"] == NEW


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("write", WRITES)
def test_p2_a_write_that_began_while_the_table_was_off_shows_once_it_returns(write: str, read: str) -> None:
    shop = Shop(OFF)

    def switch_on_and_read() -> None:
        shop.configure(ON)
        READS[read](shop)
        assert shop.entries == 1, "the old state"

    shop.meanwhile = switch_on_and_read
    WRITES[write](shop)
    assert "'new'" in str(READS[read](shop))


@pytest.mark.parametrize("write", WRITES)
def test_p2_what_changed_while_the_table_was_off_is_settling_once_it_is_on(write: str) -> None:
    shop = Shop(OFF, settle_window=5.0)
    WRITES[write](shop)
    shop.configure(ON)
    shop.get()
    assert shop.cache.stats().tables[TABLE]["item"].consistent_misses == 1


def test_a_follower_is_given_what_its_leader_reads_and_nothing_is_left_of_it() -> None:
    """The leader and the follower began before the table was switched off."""
    shop = Shop()
    found: list[Any] = []
    waits = threading.Event()

    class Watched(Latch):
        def wait(self, timeout: float) -> None:
            waits.set()
            super().wait(PATIENCE)

    shop.memory._state.new_latch = Watched
    follower = threading.Thread(target=lambda: found.append(shop.get()), daemon=True)

    def meanwhile() -> None:
        follower.start()
        assert waits.wait(PATIENCE)
        shop.configure(OFF)

    shop.meanwhile = meanwhile
    assert shop.get()["Item"] == OLD
    follower.join(PATIENCE)
    assert found[0]["Item"] == OLD
    assert (shop.sent, shop.entries) == (["GetItem"], 0)


# TTLs


@pytest.mark.parametrize("name", ["item_ttl", "query_ttl", "negative_ttl", "expired_item_ttl"])
def test_a_shorter_ttl_lets_nothing_live_longer_and_a_longer_one_drops_nothing(name: str) -> None:
    shop = Shop(TableConfig(schema=SCHEMA, **{name: 100}))
    shop.get()
    shop.configure(TableConfig(schema=SCHEMA, **{name: 200}))
    assert shop.is_hit(shop.get())
    shop.configure(TableConfig(schema=SCHEMA, **{name: 50}))
    assert shop.entries == 0


def test_another_ttl_holds_for_what_is_stored_from_then_on() -> None:
    shop = Shop(TableConfig(schema=SCHEMA, item_ttl=10))
    shop.get()
    shop.configure(TableConfig(schema=SCHEMA, item_ttl=None))
    shop.clock.now += 9
    assert shop.is_hit(shop.get())
    shop.clock.now += 2
    assert not shop.is_hit(shop.get()), "it was stored for 10 seconds"
    shop.clock.now += 10**6
    assert shop.is_hit(shop.get())


def test_what_is_being_read_while_a_ttl_becomes_shorter_does_not_get_the_old_one() -> None:
    shop = Shop()
    shop.meanwhile = lambda: shop.configure(TableConfig(schema=SCHEMA, item_ttl=5))
    shop.get()
    shop.get()
    shop.clock.now += 6
    assert not shop.is_hit(shop.get())


def test_a_ttl_of_zero_is_a_kind_that_is_off() -> None:
    shop = Shop()
    shop.query()
    shop.configure(TableConfig(schema=SCHEMA, query_ttl=0))
    shop.query()
    shop.get()
    assert shop.is_hit(shop.get())
    assert shop.cache.stats().tables[TABLE]["query"].bypasses == {"zero_ttl": 1}


# Keys


def test_a_schema_that_is_given_later_is_not_asked_for_any_more() -> None:
    shop = Shop(TableConfig())
    shop.query()
    assert shop.sent == ["DescribeTable", "DescribeTimeToLive", "Query"]
    shop.configure(ON)
    assert shop.entries == 0, "what was read depends on other partitions"
    shop.clock.now += 10**5
    shop.query()
    assert shop.sent[3:] == ["Query"]
    shop.configure(TableConfig())
    shop.query()
    assert shop.sent[4:] == ["DescribeTable", "DescribeTimeToLive", "Query"]


def test_p2_a_change_that_could_not_name_the_partitions_of_a_schema_given_later_is_settling() -> None:
    shop = Shop(TableConfig(enabled=False), settle_window=5.0)
    shop.put(NEW)
    shop.configure(ON)
    shop.by_owner("ann")
    assert shop.cache.stats().tables[TABLE]["query"].settling_fills == 1


def test_a_ttl_attribute_that_is_given_later_holds() -> None:
    shop = Shop()
    shop.item = {**OLD, "ends": {"N": str(int(shop.clock.wall()) + 20)}}
    shop.get()
    shop.configure(TableConfig(schema=SCHEMA, ttl_attribute="ends"))
    shop.get()
    assert shop.is_hit(shop.get())
    shop.clock.now += 21
    assert not shop.is_hit(shop.get())


# Which tables


def test_patterns_hold_for_tables_that_are_known_and_for_those_that_come() -> None:
    shop = Shop()
    shop.get(TableName="Orders-eu")
    shop.cache.configure(tables={"Orders-*": TableConfig(enabled=False)})
    for name in ("Orders-eu", "Orders-us"):
        shop.get(TableName=name)
        assert shop.cache.stats().tables[name]["item"].bypasses == {"table_off": 1}
    assert shop.cache.config.for_table(TABLE) == CacheConfig(settle_window=0).for_table(TABLE), "they are all of them"


def test_settings_may_be_mappings() -> None:
    shop = Shop()
    shop.cache.configure(tables={TABLE: {"schema": "pk", "item_ttl": "none"}})
    assert shop.cache.config.tables == {TABLE: TableConfig(schema=TableSchema(KeySchema.of("pk")), item_ttl=None)}


@pytest.mark.parametrize("wrong", [{TABLE: {"item_ttl": -1}}, {TABLE: {"x": 1}}, {"a*": {}, "*a": {}}, None, {"/": {}}])
def test_a_wrong_setting_changes_nothing(wrong: Any) -> None:
    shop = Shop()
    before = shop.cache.config
    shop.get()
    with pytest.raises((TypeError, ValueError)):
        shop.cache.configure(tables=wrong)
    assert shop.cache.config is before
    assert shop.is_hit(shop.get())


def test_the_same_settings_change_nothing() -> None:
    shop = Shop()
    before = shop.cache.config
    shop.get()
    shop.configure(ON)
    assert shop.cache.config == before
    assert shop.is_hit(shop.get())


# Threads and signals


def settings_hold(cache: Cache) -> bool:
    """Whether all that the cache goes by is what its config says."""
    state = cache._memory._state
    return not state.pending and all(
        table.settings == cache.config.for_table(id.name) and (table.off["item"] is None) == table.settings.enabled
        for id, table in state.tables.items()
    )


def is_daxlites(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(HOME)


@pytest.mark.parametrize("last", [OFF, ON], ids=["off", "on"])
def test_of_two_threads_the_one_that_came_last_holds_for_all_tables(last: TableConfig) -> None:
    shop = Shop(TableConfig(schema=SCHEMA, item_ttl=7))
    shop.get()
    shop.get(TableName="Other")
    state = shop.memory._state
    threads = []
    with state.locked():  # both are waiting for the lock, the first one no sooner than the second
        for each in (ON if last is OFF else OFF, last):
            tables = {TABLE: each, "Other": each}
            threads.append(threading.Thread(target=partial(shop.cache.configure, tables=tables), daemon=True))
            threads[-1].start()
            while state.wanted().tables != tables:
                assert threads[-1].is_alive()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert shop.cache.config.tables == {TABLE: last, "Other": last}
    assert settings_hold(shop.cache)
    assert shop.entries == 0


def test_a_handler_within_a_change_configures_as_soon_as_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shop.get()
    interrupting(shop, monkeypatch, lambda: shop.configure(OFF))
    shop.put(NEW)
    assert shop.cache.config.tables == {TABLE: OFF}
    shop.get(TableName="Other")  # the next one that takes the lock
    assert settings_hold(shop.cache)
    shop.get()
    assert shop.cache.stats().tables[TABLE]["item"].bypasses == {"table_off": 1}
    assert shop.entries == 1


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(("before", "after"), [(ON, OFF), (OFF, ON)], ids=["off", "on"])
def test_p7_an_interruption_at_any_moment_leaves_the_old_settings_or_the_new_ones(
    before: TableConfig, after: TableConfig
) -> None:
    for number in count():
        shop = Shop(before)
        shop.get()
        shop.get(TableName="Other")
        error = interrupted(partial(shop.configure, after), is_daxlites, number)
        if error is None:
            break
        assert isinstance(error, Limit)
        assert answers_elsewhere(partial(shop.get, TableName="Third")), f"the lock stays taken, moment {number}"
        assert shop.cache.config.tables in ({TABLE: before}, {TABLE: after})
        assert settings_hold(shop.cache), f"moment {number}"
        shop.item = NEW  # from outside: only what was stored before shows the old state
        is_off = not shop.cache.config.tables[TABLE].enabled
        assert shop.get()["Item"] == (NEW if is_off or before is OFF else OLD), f"moment {number}"
        invariants.check(shop.memory)
    assert number > 20


@pytest.mark.usefixtures("no_collection")
def test_a_handler_that_configures_at_any_moment_of_another_call_leaves_whole_settings() -> None:
    third = TableConfig(schema=SCHEMA, item_ttl=3)
    for number in count():
        shop, struck = Shop(), []
        shop.get()

        def strike(shop: Shop = shop, struck: list[int] = struck) -> None:
            struck.append(1)
            shop.configure(third)

        assert interrupted(partial(shop.configure, OFF), is_daxlites, number, strike) is None
        if not struck:
            break
        shop.get(TableName="Other")  # the next one that takes the lock
        assert shop.cache.config.tables[TABLE] in (OFF, third), f"moment {number}"
        assert settings_hold(shop.cache), f"moment {number}"
        shop.item = NEW
        assert shop.get()["Item"] == NEW, f"moment {number}"
        invariants.check(shop.memory)
    assert number > 20
