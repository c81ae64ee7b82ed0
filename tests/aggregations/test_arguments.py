"""The same arguments make the same key, however the call is written: compared with what the function receives."""

import functools
import itertools
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daxlite.aggregations.errors import Unkeyable
from daxlite.aggregations.functions.arguments import Arguments
from daxlite.aggregations.serialization.canonical import canonical, digest
from tests.aggregations.results import values, written
from tests.volume import amount


def nothing() -> Any:
    return locals()


def two(a: Any, b: Any) -> Any:
    return locals()


def defaults(a: Any, b: Any = 1, c: Any = "x") -> Any:
    return locals()


def only(a: Any, /, b: Any = 1, *, c: Any, d: Any = None) -> Any:
    return locals()


def keyword_first(*, b: Any = 1, a: Any) -> Any:
    return locals()


def rest(a: Any, *args: Any) -> Any:
    return locals()


def named(a: Any, /, **kwargs: Any) -> Any:
    return locals()


def everything(a: Any, /, b: Any = 1, *args: Any, c: Any = 2, **kwargs: Any) -> Any:
    return locals()


class Service:
    def method(self, a: Any, b: Any = 1) -> Any:
        return {"a": a, "b": b}

    @classmethod
    def made(cls, a: Any, b: Any = 1) -> Any:
        return {"a": a, "b": b}


FUNCTIONS: list[Any] = [nothing, two, defaults, only, keyword_first, rest, named, everything]
FUNCTIONS += [Service().method, Service.made, functools.partial(defaults, 7), functools.partial(defaults, c=7)]


def name(function: Any) -> str:
    return str(getattr(function, "__qualname__", "partial"))


contents = st.sampled_from(
    [1, True, 1.0, "x", "y", None, 2**64, "\ud800", [1], (1,), math.nan, Decimal("1.0"), {"a": 1}]
)
calls = st.tuples(
    st.lists(contents | values, max_size=4).map(tuple),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "args", "kwargs"]), contents, max_size=3),
)


@pytest.mark.parametrize("function", FUNCTIONS, ids=name)
def test_keys_are_equal_if_and_only_if_the_function_receives_the_same(function: Any) -> None:
    arguments = Arguments(function)

    def outcome(call: Any) -> tuple[Any, Any]:
        args, kwargs = call
        try:
            seen = function(*args, **kwargs)
        except TypeError:
            with pytest.raises(TypeError) as caught:
                arguments.key(args, kwargs)
            assert not isinstance(caught.value, Unkeyable)
            return None, None
        return written(seen), arguments.key(args, kwargs)

    @settings(max_examples=amount("pairs of calls of a function"))
    @given(calls, calls)
    def check(one: Any, other: Any) -> None:
        (seen, key), (other_seen, other_key) = outcome(one), outcome(other)
        assert (seen == other_seen) == (key == other_key)

    check()


@pytest.mark.parametrize("function", [two, defaults, only, keyword_first, everything], ids=name)
def test_every_way_to_write_a_call_makes_the_same_key(function: Any) -> None:
    arguments = Arguments(function)
    given = {"a": "x", "b": 1, "c": 2}
    keys: dict[Any, set[bytes]] = {}
    for size, positional in itertools.product(range(4), range(4)):
        for names in itertools.permutations(given, size):
            args, kwargs = (
                tuple(given[name] for name in names[:positional]),
                {name: given[name] for name in names[positional:]},
            )
            try:
                seen = function(*args, **kwargs)
            except TypeError:
                with pytest.raises(TypeError):
                    arguments.key(args, kwargs)
            else:
                keys.setdefault(written(seen), set()).add(arguments.key(args, kwargs))
    assert len(keys) > 0
    assert {len(written_keys) for written_keys in keys.values()} == {1}
    assert len(set().union(*keys.values())) == len(keys)


def test_the_fast_and_the_slow_path_agree() -> None:
    """A large int forces the slow path, which must encode the argument before it in the same way."""
    arguments = Arguments(two)
    quick = arguments.key(("x", 1), {})
    slow = arguments.key(("x", 2**64), {})
    assert quick[:-1] == slow[: len(quick) - 1]
    assert quick == arguments.key(("x",), {"b": 1}) == arguments.key((), {"b": 1, "a": "x"})


@given(st.lists(st.none() | st.booleans() | st.integers() | st.text() | st.binary(), min_size=2, max_size=2))
def test_a_key_contains_the_canonical_encoding_of_each_argument(args: list[Any]) -> None:
    key = Arguments(two).key(tuple(args), {})
    assert key.endswith(canonical(args[0]) + canonical(args[1]))


def test_mutable_arguments_are_encoded_as_they_are_at_the_call() -> None:
    arguments, argument = Arguments(two), [1]
    before = arguments.key((argument, 1), {})
    argument.append(2)
    assert arguments.key((argument, 1), {}) != before
    argument.pop()
    assert arguments.key((argument, 1), {}) == before


def test_parameters_that_change_places_make_other_keys() -> None:
    assert Arguments(lambda a, b: None).key((1, 2), {}) != Arguments(lambda b, a: None).key((1, 2), {})


def test_the_error_names_the_argument_that_cannot_be_part_of_a_key() -> None:
    wrong: list[Any] = [((1, print), {}), ((1,), {"b": [print]}), ((), {"a": 2**64, "b": {"secret": print}})]
    for args, kwargs in wrong:
        with pytest.raises(Unkeyable, match=r"argument 'b'.*builtin_function_or_method") as caught:
            Arguments(two).key(args, kwargs)
        assert "secret" not in str(caught.value)
    with pytest.raises(Unkeyable, match="argument 'args'"):
        Arguments(rest).key((1, print), {})
    with pytest.raises(Unkeyable, match="argument 'kwargs'"):
        Arguments(named).key((1,), {"x": print})
    with pytest.raises(Unkeyable, match=r"argument 'self'.*Service"):
        Arguments(Service.method).key((Service(), 1), {})


def test_the_error_of_a_wrong_call_names_the_function() -> None:
    with pytest.raises(TypeError, match=r"two\(\): missing a required argument: 'b'"):
        Arguments(two).key((1,), {})


def test_a_function_without_a_signature_is_refused() -> None:
    with pytest.raises(TypeError, match="signature"):
        Arguments(dict)


@given(st.lists(values, max_size=2), st.lists(values, max_size=2))
def test_digests_of_keys_are_equal_if_and_only_if_the_arguments_are(one: list[Any], other: list[Any]) -> None:
    arguments = Arguments(rest)
    digests = [digest("f", arguments.key((0, *args), {})) for args in (one, other)]
    assert (digests[0] == digests[1]) == (written(one) == written(other))
