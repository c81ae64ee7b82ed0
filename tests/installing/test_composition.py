"""`install` beside instrumentation, which wraps the same method: in either order, and whichever goes first."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import wrapt
from botocore.client import BaseClient

import daxlite
from daxlite import Cache
from tests.installing.reading import NEW, answered, get, put
from tests.responses import is_hit
from tests.scripted_client import ITEM

METHOD = "_make_api_call"


class Instrumentation:
    """Notes the calls that it sees. It puts itself in, and takes itself out, as OpenTelemetry, X-Ray and ddtrace do."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def put_in(self) -> None:
        def note(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            assert instance.meta.service_model.service_name == "dynamodb"
            self.seen.append(args[0])
            return wrapped(*args, **kwargs)

        wrapt.wrap_function_wrapper("botocore.client", f"BaseClient.{METHOD}", note)

    def take_out(self) -> None:
        found = getattr(BaseClient, METHOD)
        if isinstance(found, getattr(wrapt, "BaseObjectProxy", wrapt.ObjectProxy)) and hasattr(found, "__wrapped__"):
            setattr(BaseClient, METHOD, found.__wrapped__)

    def take(self) -> list[str]:
        seen, self.seen = self.seen, []
        return seen


class Assigned(Instrumentation):
    """By assignment, with a copy of the parameters, as programs do it by hand."""

    def put_in(self) -> None:
        self.before = vars(BaseClient)[METHOD]

        def note(client: Any, operation_name: str, api_params: Any) -> Any:
            self.seen.append(operation_name)
            return self.before(client, operation_name, {**api_params})

        setattr(BaseClient, METHOD, note)

    def take_out(self) -> None:
        setattr(BaseClient, METHOD, self.before)


@pytest.fixture(params=[Instrumentation, Assigned], ids=["wrapt", "assignment"])
def tracing(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_one_that_was_there_before_sees_what_is_sent(client: Any, cache: Cache, tracing: Instrumentation) -> None:
    answered(client)
    tracing.put_in()
    daxlite.install(cache)
    assert get(client)["Item"] == ITEM
    assert is_hit(get(client))
    put(client)
    assert tracing.take() == ["GetItem", "PutItem"]
    daxlite.uninstall()
    assert not is_hit(get(client))
    assert tracing.take() == ["GetItem"], "it stays when daxlite goes"
    tracing.take_out()


def test_one_that_comes_later_sees_the_hits_too(client: Any, cache: Cache, tracing: Instrumentation) -> None:
    dynamodb = answered(client)
    daxlite.install(cache)
    tracing.put_in()
    for _ in range(3):
        assert get(client)["Item"] == ITEM
    put(client)
    assert get(client)["Item"] == NEW
    assert tracing.take() == ["GetItem"] * 3 + ["PutItem", "GetItem"]
    assert dynamodb.take() == ["GetItem", "PutItem"]
    tracing.take_out()
    assert is_hit(get(client)), "daxlite stays when it goes"


def test_uninstalled_below_another_it_passes_calls_on(client: Any, cache: Cache, tracing: Instrumentation) -> None:
    before = vars(BaseClient)[METHOD]
    dynamodb = answered(client)
    daxlite.install(cache)
    tracing.put_in()
    get(client)
    daxlite.uninstall()
    for _ in range(2):
        assert not is_hit(get(client))
    assert tracing.take() == ["GetItem"] * 3
    daxlite.install(cache)
    assert is_hit(get(client))
    assert dynamodb.take() == ["GetItem"] * 3
    assert tracing.take() == [], "installed again, it lies on top"
    daxlite.uninstall()
    tracing.take_out()
    assert not is_hit(get(client)), "the layer of the first time is still there, and passes on"
    assert tracing.take() == []
    setattr(BaseClient, METHOD, before)


def test_wrapped_clients_beside_it_are_cached_once(client: Any, cache: Cache, tracing: Instrumentation) -> None:
    """The copy of the parameters that a wrapper hands on is the same call."""
    own = Cache(cache.config)
    dynamodb = answered(client)
    wrapped = daxlite.wrap(client, own)
    daxlite.install(cache)
    tracing.put_in()
    for _ in range(2):
        get(wrapped)
        get(wrapped, ConsistentRead=True)
    assert dynamodb.take() == ["GetItem"] * 3
    assert own.stats().total.hits == 1
    assert cache.stats().tables == {}
    tracing.take_out()


def test_an_instrumentation_that_cannot_find_itself_below_leaves_daxlite_alone(client: Any, cache: Cache) -> None:
    tracing = Instrumentation()
    answered(client)
    tracing.put_in()
    daxlite.install(cache)
    tracing.take_out()
    get(client)
    assert is_hit(get(client))
    daxlite.uninstall()
    tracing.take_out()


MOCKED: Any = {"Item": ITEM}


def plainly_mocked(client: Any, operation_name: str, kwarg: Any) -> Any:
    """As answers on a popular site have it."""
    return MOCKED


REPLACE: list[Callable[[], Any]] = [
    lambda: mock.patch.object(BaseClient, METHOD, return_value=MOCKED),
    lambda: mock.patch.object(BaseClient, METHOD, plainly_mocked),
    lambda: mock.patch(f"botocore.client.BaseClient.{METHOD}", autospec=True, return_value=MOCKED),
]


@pytest.mark.parametrize("replaced", REPLACE, ids=["mock", "function", "autospec"])
def test_a_mock_in_its_place_answers_above_and_below(client: Any, cache: Cache, replaced: Callable[[], Any]) -> None:
    before = vars(BaseClient)[METHOD]
    dynamodb = answered(client)
    daxlite.install(cache)
    with replaced():
        assert get(client) == get(client) == MOCKED
    get(client)
    assert is_hit(get(client)), "back in place"
    daxlite.uninstall()
    assert dynamodb.take() == ["GetItem"]
    cache.clear()
    with replaced():
        daxlite.install(cache)
        assert get(client) == MOCKED
        assert is_hit(get(client))
        daxlite.uninstall()
    assert vars(BaseClient)[METHOD] is before


def test_a_wrapper_that_tries_again_is_the_same_call(client: Any, cache: Cache) -> None:
    before = vars(BaseClient)[METHOD]
    own = Cache(cache.config)
    answered(client)
    wrapped = daxlite.wrap(client, own)
    daxlite.install(cache)
    layer = vars(BaseClient)[METHOD]

    def twice(client: Any, operation_name: str, api_params: Any) -> Any:
        layer(client, operation_name, api_params)
        return layer(client, operation_name, api_params)

    setattr(BaseClient, METHOD, twice)
    get(wrapped)
    assert cache.stats().tables == {}
    setattr(BaseClient, METHOD, layer)
    daxlite.uninstall()
    assert vars(BaseClient)[METHOD] is before


def test_layers_that_a_patch_puts_back_do_not_pile_up(client: Any, cache: Cache) -> None:
    """A test that patches the method, and uninstalls within: as often as it runs, one layer is left, and then none."""
    answered(client)
    plain = vars(BaseClient)[METHOD]
    for _ in range(3):
        daxlite.install(cache)
        with mock.patch.object(BaseClient, METHOD, return_value={}):
            daxlite.uninstall()
        assert not is_hit(get(client))
    daxlite.install(cache)
    get(client)
    assert is_hit(get(client))
    daxlite.uninstall()
    assert vars(BaseClient)[METHOD] is plain
