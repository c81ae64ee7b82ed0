"""Records: what they say of an item, in the form of boto3 and in that of JSON; and what is none."""

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.changes import ABSENT, UNKNOWN
from daxlite.core.tables import Place
from daxlite.feeds.records import FeedRecord, UndecodableRecordError, payload_of, record_of
from tests.feeds.shop import EXPIRED, kinesis_record

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
DEEP = {
    "s": {"S": "x"},
    "empty": {"S": ""},
    "n": {"N": "1.5"},
    "b": {"B": b"\x00\xff"},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2"]},
    "bs": {"BS": [b"\x01", b"\x02"]},
    "null": {"NULL": True},
    "bool": {"BOOL": False},
    "l": {"L": [{"B": b"\x03"}, {"M": {"deeper": {"BS": [b"\x04"]}}}]},
    "m": {"M": {"list": {"L": [{"M": {"b": {"B": b"\x05"}}}]}, "name with.dots": {"S": "x"}}},
}
"""A value of each type, binary ones at each depth."""

NAMES = ["eventName", "userIdentity", "tableName", "ApproximateCreationDateTime", "pk", "S", "N", "B", "BS", "L", "M"]


def as_json(value: Any) -> Any:
    """What JSON makes of typed values: binary content in base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    return [as_json(each) for each in value] if isinstance(value, list) else value


def raw(event: str = "MODIFY", **told: Any) -> dict[str, Any]:
    return {"eventName": event, "dynamodb": {"Keys": KEY, **told}}


def both(record: dict[str, Any]) -> FeedRecord:
    """The record in both forms, which say the same."""
    found = record_of(record)
    again = record_of(json.loads(json.dumps(as_json(record))), is_json=True)
    assert [getattr(again, name) for name in FeedRecord.__struct_fields__] == [
        getattr(found, name) for name in FeedRecord.__struct_fields__
    ]
    return found


class TestImages:
    def test_both_forms_have_all_types(self) -> None:
        found = both(raw(OldImage={**KEY, "v": {"N": "1"}}, NewImage={**KEY, **DEEP}))
        assert found.key == KEY
        assert found.old == {**KEY, "v": {"N": "1"}}
        assert found.new == {**KEY, **DEEP}

    def test_a_binary_key_is_the_same_in_both_forms(self) -> None:
        keys = {"pk": {"B": b"\x00\x01"}}
        assert both({"eventName": "REMOVE", "dynamodb": {"Keys": keys}}).key == keys

    def test_numbers_are_as_dynamodb_stores_them(self) -> None:
        found = both({"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"N": "1.0"}}}})
        assert found.item == record_of({"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"N": "1"}}}}).item

    @pytest.mark.parametrize(
        ("event", "told", "images"),
        [
            ("INSERT", {}, (ABSENT, UNKNOWN)),
            ("INSERT", {"NewImage": KEY}, (ABSENT, KEY)),
            ("MODIFY", {}, (UNKNOWN, UNKNOWN)),
            ("MODIFY", {"OldImage": KEY}, (KEY, UNKNOWN)),
            ("MODIFY", {"NewImage": KEY}, (UNKNOWN, KEY)),
            ("REMOVE", {}, (UNKNOWN, ABSENT)),
            ("REMOVE", {"OldImage": KEY}, (KEY, ABSENT)),
            ("RESTORE", {"OldImage": KEY, "NewImage": KEY}, (UNKNOWN, UNKNOWN)),
        ],
    )
    def test_an_image_is_known_unknown_or_of_no_item(self, event: str, told: Any, images: Any) -> None:
        found = both(raw(event, **told))
        assert (found.old, found.new) == images

    def test_an_event_without_a_name_tells_nothing_of_the_images(self) -> None:
        found = record_of({"dynamodb": {"Keys": KEY, "NewImage": KEY}})
        assert (found.event, found.old, found.new) == ("None", UNKNOWN, UNKNOWN)

    @pytest.mark.parametrize("image", [{}, {"v": {"N": "1"}}, {"pk": {"S": "another"}, "sk": {"N": "1"}}])
    def test_an_image_of_another_item_is_none(self, image: Any) -> None:
        assert both(raw(NewImage=image)).new is UNKNOWN

    def test_a_record_of_no_change_says_so(self) -> None:
        assert both(raw(OldImage=KEY, NewImage=KEY)).is_unchanged
        assert not both(raw(NewImage=KEY)).is_unchanged
        assert not both(raw()).is_unchanged

    def test_a_change_has_what_the_record_has(self) -> None:
        place = Place("eu-west-1", "Orders")
        change = both(raw("REMOVE", OldImage=KEY)).change(place)
        assert (change.table, change.key, change.old, change.new) == (place, KEY, KEY, ABSENT)

    def test_a_record_shows_nothing_of_its_item(self) -> None:
        assert repr(both(raw(NewImage={**KEY, "s": {"S": "secret"}}))) == "<FeedRecord>"


class TestExpiries:
    @pytest.mark.parametrize("who", [EXPIRED, {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}])
    def test_both_spellings_tell_that_the_items_time_was_over(self, who: Any) -> None:
        assert both({**raw("REMOVE"), "userIdentity": who}).is_expiry
        assert not both({**raw("MODIFY"), "userIdentity": who}).is_expiry

    @pytest.mark.parametrize(
        "who",
        [None, {}, "Service", [1], {"type": "Service", "principalId": "someone"}, {"type": {}, "principalId": []}],
    )
    def test_everybody_else_deletes_on_purpose(self, who: Any) -> None:
        assert not both({**raw("REMOVE"), "userIdentity": who}).is_expiry


class TestMoments:
    @pytest.mark.parametrize(
        ("told", "seconds"),
        [
            ({"ApproximateCreationDateTime": 1_790_000_000}, 1_790_000_000),
            ({"ApproximateCreationDateTime": 1.79e9}, 1_790_000_000),
            ({"ApproximateCreationDateTime": 1_790_000_000_123}, 1_790_000_000.123),
            ({"ApproximateCreationDateTime": 1_790_000_000_123_456}, 1_790_000_000.123456),
            (
                {
                    "ApproximateCreationDateTime": 1_790_000_000_123,
                    "ApproximateCreationDateTimePrecision": "MILLISECOND",
                },
                1_790_000_000.123,
            ),
            (
                {
                    "ApproximateCreationDateTime": 1_790_000_000_123_456,
                    "ApproximateCreationDateTimePrecision": "MICROSECOND",
                },
                1_790_000_000.123456,
            ),
            ({}, None),
            ({"ApproximateCreationDateTime": None}, None),
            ({"ApproximateCreationDateTime": True}, None),
            ({"ApproximateCreationDateTime": "1790000000"}, None),
            ({"ApproximateCreationDateTime": 10**400}, None),
            ({"ApproximateCreationDateTime": math.inf}, None),
            ({"ApproximateCreationDateTime": math.nan}, None),
        ],
    )
    def test_a_moment_is_seconds_milliseconds_or_microseconds(self, told: Any, seconds: float | None) -> None:
        assert both(raw(**told)).moment == seconds

    def test_boto3_has_datetimes(self) -> None:
        moment = datetime(2026, 11, 29, 15, 0, tzinfo=UTC)
        assert record_of(raw(ApproximateCreationDateTime=moment)).moment == moment.timestamp()


class TestNoRecords:
    @pytest.mark.parametrize("is_json", [False, True])
    @pytest.mark.parametrize(
        "record",
        [
            None,
            7,
            "record",
            [],
            {},
            {"dynamodb": None},
            {"dynamodb": "x"},
            {"dynamodb": {}},
            {"dynamodb": {"Keys": None}},
            {"dynamodb": {"Keys": {}}},
            {"dynamodb": {"Keys": []}},
            {"dynamodb": {"Keys": {"pk": "a"}}},
            {"dynamodb": {"Keys": {"pk": {}}}},
            {"dynamodb": {"Keys": {"pk": {"S": 1}}}},
            {"dynamodb": {"Keys": {"pk": {"N": "one"}}}},
            {"dynamodb": {"Keys": {"pk": {"S": "a", "N": "1"}}}},
            {"dynamodb": {"Keys": {"pk": {"L": []}}}},
            {"dynamodb": {"Keys": {"pk": {"S": "\ud800"}}}},
            {"dynamodb": {"Keys": KEY, "NewImage": [1]}},
        ],
    )
    def test_what_does_not_say_which_item_changed_is_none(self, record: Any, *, is_json: bool) -> None:
        with pytest.raises(UndecodableRecordError):
            record_of(record, is_json=is_json)

    @pytest.mark.parametrize(
        "value", [{"BS": 7}, {"M": []}, {"WHAT": "is this"}, {"S": "a", "N": "1"}], ids=["set", "map", "type", "two"]
    )
    def test_json_may_hold_values_that_are_none(self, value: Any) -> None:
        for name in ("OldImage", "NewImage"):
            with pytest.raises(UndecodableRecordError):
                record_of({"dynamodb": {"Keys": KEY, name: {"v": value}}}, is_json=True)

    @pytest.mark.parametrize("content", ["*", "YQ", "ä", 7, None, ["YQ=="]])
    def test_binary_content_is_base64(self, content: Any) -> None:
        with pytest.raises(UndecodableRecordError):
            record_of(raw(NewImage={**KEY, "b": {"B": content}}), is_json=True)

    def test_a_value_is_no_deeper_than_dynamodb_allows(self) -> None:
        deep: Any = {"S": "x"}
        for _ in range(5000):
            deep = {"L": [deep]}
        with pytest.raises(UndecodableRecordError):
            record_of(raw(NewImage={**KEY, "deep": deep}), is_json=True)

    def test_the_error_quotes_nothing(self) -> None:
        with pytest.raises(UndecodableRecordError) as raised:
            record_of(raw(NewImage={**KEY, "s": {"S": "secret", "N": "1"}}), is_json=True)
        assert "secret" not in str(raised.value)
        assert raised.value.__cause__ is None

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["S", "B"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["dynamodb", "Keys", "NewImage", "OldImage", *NAMES]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ),
        st.booleans(),
    )
    def test_nothing_else_comes_out(self, value: Any, is_json: bool) -> None:
        for record in (
            value,
            {"dynamodb": value},
            {"dynamodb": {"Keys": KEY, "NewImage": value}, "userIdentity": value},
        ):
            try:
                found = record_of(record, is_json=is_json)
            except UndecodableRecordError:
                continue
            assert found.key


class TestPayloads:
    def test_a_payload_is_bytes_or_base64_of_them(self) -> None:
        assert payload_of(b'{"a": 1}') == {"a": 1}
        assert payload_of(kinesis_record({"a": 1})["kinesis"]["data"]) == {"a": 1}

    @pytest.mark.parametrize(
        "data", [b"", b"{", b"[1]", b"7", b"\xff\xfe", b"[" * 100_000, "", "*", "e30", "ä", "W10="]
    )
    def test_what_is_no_json_object_is_none(self, data: bytes | str) -> None:
        with pytest.raises(UndecodableRecordError):
            payload_of(data)

    @given(st.binary(max_size=30) | st.text(max_size=30))
    def test_nothing_else_comes_out(self, data: bytes | str) -> None:
        try:
            assert isinstance(payload_of(data), dict)
        except UndecodableRecordError:
            return
