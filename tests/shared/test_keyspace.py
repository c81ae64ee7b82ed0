"""The names of keys in Redis."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.shared.keyspace import Keyspace
from daxlite.shared.tags import SIZE, SLOT_BYTES, TABLE_BYTES

namespaces = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)
digests = st.binary(min_size=16, max_size=16)
tags = st.binary(min_size=SIZE, max_size=SIZE)
keys = st.tuples(namespaces, digests, st.sampled_from(["value", "lock"])) | st.tuples(
    namespaces, tags, st.just("state")
)


@given(keys, keys)
def test_no_two_keys_have_the_same_name(one: Any, other: Any) -> None:
    names = [getattr(Keyspace(namespace), kind)(digest) for namespace, digest, kind in (one, other)]
    means = [
        (namespace, digest[TABLE_BYTES:] if kind == "state" else digest, kind)
        for namespace, digest, kind in (one, other)
    ]
    assert (names[0] == names[1]) == (means[0] == means[1])


@given(keys)
def test_every_key_begins_with_its_namespace_and_has_its_digest_as_hash_tag(key_parts: Any) -> None:
    namespace, digest, kind = key_parts
    keyspace = Keyspace(namespace)
    key = getattr(keyspace, kind)(digest)
    assert key.startswith(f"{namespace}:daxlite:")
    in_slot = digest[TABLE_BYTES : TABLE_BYTES + SLOT_BYTES] if kind == "state" else digest
    assert key[key.index("{") + 1 : key.index("}")] == in_slot.hex()


@given(namespaces, tags, tags)
def test_a_table_has_a_channel_which_the_pattern_of_all_matches(namespace: str, one: bytes, other: bytes) -> None:
    keyspace = Keyspace(namespace)
    channel = keyspace.channel(one)
    assert (channel == keyspace.channel(other)) == (one[:TABLE_BYTES] == other[:TABLE_BYTES])
    assert channel.startswith(f"{namespace}:daxlite:")
    assert fnmatchcase(channel, keyspace.channels)
    assert "{" not in channel


def test_golden_names() -> None:
    """Two releases that share a server give one thing one name: these never change."""
    keyspace, tag = Keyspace("shop"), bytes(range(SIZE))
    assert keyspace.state(tag) == "shop:daxlite:{08090a0b0c0d0e0f}:101112131415161718191a1b1c1d1e1f:state"
    assert keyspace.channel(tag) == "shop:daxlite:changes:0001020304050607"
    assert keyspace.channels == "shop:daxlite:changes:*"


@pytest.mark.parametrize("namespace", ["", "a:b", "a b", "{a}", "a" * 65, "ä", "-a", ".a", "a\n", "a*"])
def test_an_invalid_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(ValueError, match="namespace is"):
        Keyspace(namespace)


@pytest.mark.parametrize("namespace", [None, b"shop", 5])
def test_a_namespace_that_is_not_a_string_is_refused(namespace: Any) -> None:
    with pytest.raises(TypeError, match="must be a string"):
        Keyspace(namespace)
