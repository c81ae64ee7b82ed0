"""Change listeners hear of each change, once the caches are true again and before the call that made it returns."""

import gc
import threading
import weakref
from collections.abc import Callable, Generator
from typing import Any

import pytest

from daxlite import Cache
from daxlite.calls import listeners
from daxlite.calls.listeners import add_change_listener, announce, remove_change_listener
from daxlite.calls.planning import plan
from daxlite.calls.registry import operation_of
from daxlite.calls.rescue import rescue
from daxlite.core.extents import EVERYTHING
from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.schema import item_key, partition_value
from daxlite.core.steps import Call, Notify
from daxlite.core.tables import Place, table_id
from daxlite.core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from daxlite.drivers.threads import ThreadDriver
from tests.calls.listening import ChangeRecorder
from tests.scripted_client import ITEM, KEY, SCOPE, TABLE, ScriptedClient, made, refused

T = table_id(SCOPE, TABLE).place
ITEM_TAG, SCAN, WHOLE = item_tag(T, item_key(KEY)), scan_tag(T, None), table_tag(T)
PARTITION = partition_tag(T, None, partition_value([KEY["pk"]]))
OF_ANN = {partition_tag(T, "by_owner", partition_value([ITEM["owner"]])), scan_tag(T, "by_owner")}
ANYWHERE_IN_INDEX = {index_tag(T, "by_owner"), scan_tag(T, "by_owner")}


def writing() -> ScriptedClient:
    return ScriptedClient(
        PutItem=lambda params: made(Attributes=ITEM) if "ReturnValues" in params else made(), GetItem=made()
    )


def test_what_a_write_bumps_is_announced_once(changes: ChangeRecorder) -> None:
    client = writing()
    client.put()
    assert changes.take() == [{ITEM_TAG, SCAN, PARTITION} | OF_ANN]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda cache: cache.invalidate(TABLE, {"pk": "a"}), {ITEM_TAG, SCAN, PARTITION} | ANYWHERE_IN_INDEX),
        (lambda cache: cache.invalidate(TABLE), {WHOLE}),
        (lambda cache: cache.clear(), None),
        (lambda cache: cache._memory.apply(), None),
        (lambda cache: cache._memory.invalidate_tags([(WHOLE, EVERYTHING, 0.0), (SCAN, EVERYTHING, 0.0)]), None),
    ],
)
def test_invalidations_are_announced_and_mere_dropping_is_not(
    changes: ChangeRecorder, monkeypatch: pytest.MonkeyPatch, change: Callable[[Cache], None], expected: set[Tag] | None
) -> None:
    monkeypatch.setattr("daxlite.cache.regions._known", {})
    client = writing()
    client.put()
    changes.take()
    change(client.cache)
    assert changes.take() == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        ({"table": "U"}, {Place("eu-west-1", "U"), Place("us-east-1", "U"), Place("", "U")}),
        ({"table": "U", "region": "us-east-1"}, {Place("us-east-1", "U"), Place("", "U")}),
        ({"table": "arn:aws:dynamodb:eu-west-2:1:table/U"}, {Place("eu-west-2", "U"), Place("", "U")}),
    ],
)
def test_a_call_by_name_reaches_every_region_that_the_process_knows(
    changes: ChangeRecorder, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, str], places: set[Place]
) -> None:
    monkeypatch.setattr("daxlite.cache.regions._known", {"eu-west-1": None, "us-east-1": None, "": None})
    writing().cache.invalidate(**arguments)
    assert changes.take() == [{table_tag(place) for place in places}]


@pytest.mark.parametrize(("default", "regions"), [("sa-east-1", {"sa-east-1", ""}), ("", {""})])
def test_a_call_by_name_in_a_process_without_clients_goes_by_the_default_region(
    changes: ChangeRecorder, monkeypatch: pytest.MonkeyPatch, default: str, regions: set[str]
) -> None:
    monkeypatch.setattr("daxlite.cache.regions._known", {})
    monkeypatch.setattr("daxlite.cache.regions._default_region", lambda: default)
    Cache().invalidate("U")
    assert changes.take() == [{table_tag(Place(region, "U")) for region in regions}]


def test_a_write_is_announced_when_the_cache_is_true_and_its_lock_is_free(changes: ChangeRecorder) -> None:
    client = writing()
    client.get()
    free = threading.Event()

    def look() -> int:
        thread = threading.Thread(target=lambda: (client.cache.stats(), free.set()))
        thread.start()
        thread.join(5)
        return client.cache.stats().total.entries

    changes.look = look
    client.put()
    assert changes.seen == [1], "the new item, and not what was there before"
    assert free.is_set()


@pytest.mark.faults_expected
def test_p7_a_write_whose_change_could_not_be_applied_announces_that_anything_may_have_changed(
    changes: ChangeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = writing()
    monkeypatch.setattr(type(client.memory._state), "store", lambda *_, **__: 1 / 0)
    client.put()
    assert changes.take() == [None]
    assert client.cache.stats().faults == 1


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit()], ids=repr)
def test_p9_a_write_that_is_interrupted_before_its_announcement_counts_as_a_change(
    changes: ChangeRecorder, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise interruption

    client = writing()
    monkeypatch.setattr("daxlite.calls.write_item.learn", interrupt)
    with pytest.raises(type(interruption)):
        client.put()
    assert changes.take()[-1] is None


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("PutItem", {"TableName": TABLE, "Item": ITEM}),
        ("BatchWriteItem", {"RequestItems": {TABLE: [{"PutRequest": {"Item": ITEM}}]}}),
        ("PutItem", {"TableName": "arn:not understood", "Item": ITEM}),
        ("DeleteTable", {"TableName": TABLE}),
    ],
)
def test_p9_the_steps_of_a_write_that_is_interrupted_before_it_is_sent_end_at_once(
    changes: ChangeRecorder, operation: str, params: dict[str, Any]
) -> None:
    """As by Ctrl-C. Steps that went on to announce something would hide it, and the write would be sent."""
    client = ScriptedClient()
    row = operation_of(operation)
    rescued = rescue(client.dispatcher.context, row, params, NotCacheable(), replies=None, error=None, is_sent=False)
    for steps in (plan(client.dispatcher.context, row, params), rescued):
        assert isinstance(steps, Generator)
        step = next(steps)
        while isinstance(step, Notify):
            step = steps.send(None)
        assert isinstance(step, Call)
        steps.close()
    assert client.cache.stats().in_flight == 0


@pytest.mark.faults_expected
def test_p7_a_listener_that_fails_is_a_fault_and_the_others_are_notified() -> None:
    def fail() -> None:
        raise RuntimeError("a listener of few manners")

    client, recorders = writing(), [ChangeRecorder(), ChangeRecorder(fail), ChangeRecorder()]
    for changes in recorders:
        add_change_listener(changes)
    client.put()
    ThreadDriver().drive(announce(client.memory, client.memory.invalidate_all()))
    assert [len(changes.announced) for changes in recorders] == [2, 2, 2]
    assert client.cache.stats().faults == 2


def test_a_listener_that_was_added_twice_hears_once_and_no_more_once_removed() -> None:
    client, changes = writing(), ChangeRecorder()
    add_change_listener(changes)
    add_change_listener(changes)
    client.put()
    assert len(changes.take()) == 1
    remove_change_listener(changes)
    remove_change_listener(changes)
    client.put()
    assert changes.take() == []


def test_no_listener_is_kept_alive() -> None:
    client, changes = writing(), ChangeRecorder()
    add_change_listener(changes)
    dead = weakref.ref(changes)
    assert listeners.has_change_listeners()
    client.put()
    del changes
    gc.collect()
    assert dead() is None
    assert not listeners.has_change_listeners()
    last = ChangeRecorder()
    add_change_listener(last)
    remove_change_listener(last)
    assert not listeners._listeners, "a dead listener leaves nothing behind"


def test_an_invalidation_within_the_lock_of_its_own_thread_is_announced_as_anything(changes: ChangeRecorder) -> None:
    """As a signal handler would make it. The next caller that takes the lock drops everything first."""
    client = writing()
    client.put()
    changes.take()
    with client.memory._state.locked():
        client.cache.invalidate(TABLE)
        assert changes.take() == [None]
        assert not client.is_hit(client.get()), "nothing is answered from here on"
    client.cache.clear()
    assert client.cache.stats().total.entries == 0


def test_a_failed_write_without_an_effect_is_not_announced(changes: ChangeRecorder) -> None:
    client = ScriptedClient(PutItem=refused("ValidationException"))
    with pytest.raises(Exception, match="Validation"):
        client.put()
    assert changes.take() == []


def test_two_caches_and_one_listener(changes: ChangeRecorder) -> None:
    for client in (writing(), writing()):
        client.put()
    assert changes.take() == [{ITEM_TAG, SCAN, PARTITION} | OF_ANN] * 2


def test_p7_a_default_region_that_cannot_be_read_is_no_error_of_the_application(
    changes: ChangeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daxlite.cache.regions._known", {})
    monkeypatch.setenv("AWS_PROFILE", "of a colleague")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    Cache().invalidate("U")
    assert changes.take() == [{table_tag(Place("", "U"))}]


@pytest.mark.parametrize(
    "arguments",
    [
        {"table": "arn:aws:dynamodb:eu-west-1:1:table/U", "region": "us-east-1"},
        {"table": "arn:aws:dynamodb:eu-west-1:1:table/U/index/by_day"},
        {"table": "arn:aws:s3:::U"},
    ],
)
def test_an_arn_that_is_not_of_a_table_in_that_region_is_refused(
    changes: ChangeRecorder, arguments: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="ARN"):
        Cache().invalidate(**arguments)
    assert changes.take() == []
