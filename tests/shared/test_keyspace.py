"""The names of keys in Redis."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.shared.keyspace import Keyspace

namespaces = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)
digests = st.binary(min_size=16, max_size=16)
keys = st.tuples(namespaces, digests, st.sampled_from(["value", "lock", "stamp"]))


@given(keys, keys)
def test_no_two_keys_have_the_same_name(one: Any, other: Any) -> None:
    names = [getattr(Keyspace(namespace), kind)(digest) for namespace, digest, kind in (one, other)]
    assert (names[0] == names[1]) == (one == other)


@given(keys)
def test_every_key_begins_with_its_namespace_and_has_its_digest_as_hash_tag(key_parts: Any) -> None:
    namespace, digest, kind = key_parts
    keyspace = Keyspace(namespace)
    key = getattr(keyspace, kind)(digest)
    assert key.startswith(f"{namespace}:daxlite:")
    assert key[key.index("{") + 1 : key.index("}")] == digest.hex()
    assert keyspace.channel.startswith(f"{namespace}:daxlite:")
    assert "{" not in keyspace.channel


@pytest.mark.parametrize("namespace", ["", "a:b", "a b", "{a}", "a" * 65, "ä", "-a", ".a", "a\n", "a*"])
def test_an_invalid_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(ValueError, match="namespace is"):
        Keyspace(namespace)


@pytest.mark.parametrize("namespace", [None, b"shop", 5])
def test_a_namespace_that_is_not_a_string_is_refused(namespace: Any) -> None:
    with pytest.raises(TypeError, match="must be a string"):
        Keyspace(namespace)
