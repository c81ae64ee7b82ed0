"""What people's tests do to a client, they can do to a wrapped one."""

from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, StubAssertionError
from botocore.stub import Stubber

import daxlite
from daxlite import CacheConfig
from daxlite.testing import enabled
from tests.scripted_client import ITEM, KEY, TABLE


def test_a_stubber_sees_the_requests_that_the_application_makes(client: Any) -> None:
    # A stubbed read is not stored within the settle window: the stub refuses to read strongly.
    wrapped = daxlite.wrap(client, config=CacheConfig(settle_window=0))
    put = {"TableName": TABLE, "Item": ITEM}
    update = {"TableName": TABLE, "Key": KEY, "UpdateExpression": "REMOVE note"}
    other = {"TableName": TABLE, "Key": {"pk": {"S": "other"}}}
    with enabled(), Stubber(wrapped) as stubber:
        stubber.add_response("put_item", {}, put)
        stubber.add_response("get_item", {"Item": ITEM}, other)
        stubber.add_response("update_item", {}, update)
        stubber.add_client_error("get_item", "ProvisionedThroughputExceededException")
        wrapped.put_item(**put)
        for _ in range(2):
            assert wrapped.get_item(**other)["Item"] == ITEM
        wrapped.update_item(**update)
        with pytest.raises(wrapped.exceptions.ProvisionedThroughputExceededException):
            wrapped.get_item(TableName=TABLE, Key=KEY)
        stubber.assert_no_pending_responses()
        stubber.add_response("update_item", {}, {**update, "UpdateExpression": "REMOVE something_else"})
        with pytest.raises(StubAssertionError):
            wrapped.update_item(**update)


def test_a_patched_method_is_the_one_that_is_called(client: Any) -> None:
    wrapped = daxlite.wrap(client)
    with mock.patch.object(wrapped, "get_item", return_value={"Item": ITEM}) as get_item:
        assert wrapped.get_item(TableName=TABLE, Key=KEY) == {"Item": ITEM}
    get_item.assert_called_once()
    assert wrapped.get_item is not get_item
    assert client.get_item is not get_item


def test_a_patched_make_api_call_is_the_one_that_is_called(client: Any) -> None:
    """What moto's documentation tells people to patch, and what tracing libraries patch in earnest."""
    wrapped = daxlite.wrap(client)
    with mock.patch("botocore.client.BaseClient._make_api_call", return_value={"Item": ITEM}) as call:
        assert wrapped.get_item(TableName=TABLE, Key=KEY)["Item"] == ITEM
    call.assert_called_with("GetItem", {"TableName": TABLE, "Key": KEY})


def test_errors_are_the_clients_own(client: Any) -> None:
    wrapped = daxlite.wrap(client)
    with Stubber(client) as stubber:
        stubber.add_client_error("get_item", "ResourceNotFoundException")
        with pytest.raises(client.exceptions.ResourceNotFoundException) as raised:
            wrapped.get_item(TableName=TABLE, Key=KEY)
    assert isinstance(raised.value, ClientError)
    assert not [frame for frame in [raised.value.__context__, raised.value.__cause__] if frame is not None]
