"""Wrapped data comes back for its own key and within the bounds; everything else is CorruptValue."""

import os
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.shared.encryption import Encryptor
from daxlite.shared.envelope import Envelope
from daxlite.shared.errors import CorruptValue, Unstorable

ENCRYPTOR = Encryptor([bytes(range(32))])
contents = st.binary(max_size=60) | st.builds(
    lambda data, times: data * times, st.binary(max_size=9), st.integers(0, 900)
)
envelopes = st.builds(
    Envelope, st.sampled_from([None, 0, 10, 1024]), st.sampled_from([10_000, 2**26]), st.sampled_from([None, ENCRYPTOR])
)


@given(envelopes, contents, st.binary(max_size=9))
def test_wrapped_data_comes_back(envelope: Envelope, data: bytes, key: bytes) -> None:
    wrapped = envelope.wrap(data, key)
    assert envelope.unwrap(wrapped, key) == data
    assert len(wrapped) <= len(data) + 2 + 32


@given(envelopes, contents, st.data())
def test_damage_is_detected(envelope: Envelope, data: bytes, draws: st.DataObject) -> None:
    wrapped = envelope.wrap(data, b"key")
    damaged = bytearray(wrapped)
    bit = draws.draw(st.integers(0, len(wrapped) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    end = draws.draw(st.integers(0, len(wrapped) - 1))
    for changed in (bytes(damaged), wrapped[:end], wrapped + b"\x01", wrapped + wrapped):
        with pytest.raises(CorruptValue):
            envelope.unwrap(changed, b"key")
    with pytest.raises(CorruptValue):
        envelope.unwrap(wrapped, b"kez")


@given(envelopes, st.binary(max_size=60))
def test_random_bytes_are_corrupt(envelope: Envelope, data: bytes) -> None:
    for forged in (data, *(bytes((1, flags)) + data for flags in range(4))):
        with pytest.raises(CorruptValue):
            envelope.unwrap(forged, b"key")


def test_only_large_data_that_gets_smaller_is_compressed() -> None:
    noise = os.urandom(5000)
    for encryptor, more in ((None, 6), (ENCRYPTOR, 34)):
        envelope = Envelope(compress_above=100, encryptor=encryptor)
        assert len(envelope.wrap(b"x" * 100, b"")) == 100 + more
        assert len(envelope.wrap(b"x" * 101, b"")) < 50
        assert len(envelope.wrap(noise, b"")) == 5000 + more
        assert len(Envelope(compress_above=None, encryptor=encryptor).wrap(b"x" * 5000, b"")) == 5000 + more
    assert len(Envelope().wrap(b"x" * 1024, b"")) == 1030
    assert len(Envelope().wrap(b"x" * 1025, b"")) < 50


def test_envelopes_of_other_settings_are_understood() -> None:
    data = b"x" * 5000
    for writer in (Envelope(), Envelope(0), Envelope(None)):
        for reader in (Envelope(), Envelope(None), Envelope(max_value_bytes=5000)):
            assert reader.unwrap(writer.wrap(data, b"k"), b"k") == data


def test_unknown_versions_and_flags_are_corrupt() -> None:
    wrapped = Envelope().wrap(b"x", b"k")
    for version in (0, 2, 255):
        with pytest.raises(CorruptValue, match="version"):
            Envelope().unwrap(bytes((version,)) + wrapped[1:], b"k")
    for flag in (4, 8, 128):
        with pytest.raises(CorruptValue, match="version"):
            Envelope().unwrap(bytes((1, wrapped[1] | flag)) + wrapped[2:], b"k")


def test_no_downgrade() -> None:
    """Without a key, write access to Redis is not enough to make an envelope that is accepted where there is a key."""
    plain, encrypted = Envelope(), Envelope(encryptor=ENCRYPTOR)
    with pytest.raises(CorruptValue, match="not encrypted"):
        encrypted.unwrap(plain.wrap(b"forged", b"k"), b"k")
    with pytest.raises(CorruptValue, match="no encryptor"):
        plain.unwrap(encrypted.wrap(b"x", b"k"), b"k")
    with pytest.raises(CorruptValue):
        Envelope(encryptor=Encryptor([bytes(32)])).unwrap(encrypted.wrap(b"x", b"k"), b"k")


def test_the_flags_are_authenticated() -> None:
    """A value that was stored uncompressed, and happens to be valid zlib data, is not decompressed by a forged flag."""
    envelope = Envelope(compress_above=None, encryptor=ENCRYPTOR)
    wrapped = envelope.wrap(zlib.compress(b"x"), b"k")
    with pytest.raises(CorruptValue, match="changed after it was encrypted"):
        envelope.unwrap(bytes((1, wrapped[1] ^ 1)) + wrapped[2:], b"k")
    # And the header is not taken for a part of the key.
    assert envelope.unwrap(wrapped, b"k") == zlib.compress(b"x")


@pytest.mark.parametrize("encryptor", [None, ENCRYPTOR], ids=["plain", "encrypted"])
def test_a_zip_bomb_is_not_unpacked(encryptor: Any) -> None:
    bomb = Envelope(encryptor=encryptor).wrap(bytes(60_000_000), b"k")
    assert len(bomb) < 100_000
    small = Envelope(max_value_bytes=10_000, encryptor=encryptor)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptValue, match="max_value_bytes"):
            small.unwrap(bomb, b"k")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compress_above", [None, 0])
def test_the_largest_result(compress_above: int | None) -> None:
    envelope = Envelope(compress_above, max_value_bytes=1000)
    assert envelope.unwrap(envelope.wrap(b"x" * 1000, b"k"), b"k") == b"x" * 1000
    with pytest.raises(Unstorable, match="1001 bytes is larger than max_value_bytes, which is 1000"):
        envelope.wrap(b"x" * 1001, b"k")
    with pytest.raises(CorruptValue, match="max_value_bytes"):
        envelope.unwrap(Envelope(compress_above).wrap(b"x" * 1001, b"k"), b"k")


@pytest.mark.parametrize(
    "body", [b"", zlib.compress(b"x" * 99)[:-1], zlib.compress(b"x") + b"y", b"not zlib"], ids=repr
)
def test_invalid_compressed_data_is_corrupt(body: bytes) -> None:
    """With a valid checksum, as a faulty program could write it."""
    wrapped = Envelope(None).wrap(body, b"k")
    header = bytes((wrapped[0], 1))
    checksum = zlib.crc32(header + b"k" + body).to_bytes(4, "big")
    with pytest.raises(CorruptValue):
        Envelope().unwrap(header + checksum + body, b"k")


def test_the_stored_bytes_never_change() -> None:
    assert Envelope().wrap(b"x", b"k") == b"\x01\x00" + zlib.crc32(b"\x01\x00kx").to_bytes(4, "big") + b"x"


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"compress_above": -1}, ValueError, "compress_above is -1"),
        ({"compress_above": 1.5}, ValueError, "compress_above is 1.5"),
        ({"compress_above": True}, ValueError, "compress_above is True"),
        ({"max_value_bytes": 0}, ValueError, "max_value_bytes is 0"),
        ({"max_value_bytes": None}, ValueError, "max_value_bytes is None"),
        ({"encryptor": b"secret"}, TypeError, "encryptor is a bytes"),
    ],
    ids=str,
)
def test_wrong_settings(settings: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        Envelope(**settings)
    assert "secret" not in str(caught.value)
