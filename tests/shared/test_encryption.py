"""Encrypted data is decrypted with one of the keys, for its own key of the cache, if it is unchanged; or not at all."""

import concurrent.futures
import copy
import itertools
import pickle
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from daxlite.shared import encryption
from daxlite.shared.encryption import Encryptor
from daxlite.shared.errors import CorruptValue

ONE, TWO, THREE = (bytes([n]) * 32 for n in (1, 2, 3))


@given(st.binary(max_size=100), st.binary(max_size=50))
def test_encrypted_data_is_decrypted(data: bytes, bound_to: bytes) -> None:
    encrypted = Encryptor([ONE]).encrypt(data, bound_to)
    assert Encryptor([ONE]).decrypt(encrypted, bound_to) == data
    assert len(encrypted) == len(data) + 32


def test_it_is_aes_256_gcm_and_nothing_of_the_data_shows() -> None:
    data = b"42 orders of customer 7"
    encrypted = Encryptor([ONE]).encrypt(data, b"key")
    assert AESGCM(ONE).decrypt(encrypted[4:16], encrypted[16:], encrypted[:4] + b"key") == data
    assert not any(data[at : at + 4] in encrypted for at in range(len(data) - 3))
    assert ONE[:4] not in encrypted


def test_no_nonce_is_used_twice() -> None:
    encryptor = Encryptor([ONE])
    assert len({encryptor.encrypt(b"", b"")[4:16] for _ in range(1000)}) == 1000


@given(st.binary(max_size=8), st.data())
def test_every_change_is_detected(data: bytes, draws: st.DataObject) -> None:
    encryptor = Encryptor([ONE, TWO])
    encrypted = encryptor.encrypt(data, b"key")
    damaged = bytearray(encrypted)
    bit = draws.draw(st.integers(0, len(encrypted) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    end = draws.draw(st.integers(0, len(encrypted) - 1))
    for changed in (bytes(damaged), encrypted[:end], encrypted + b"\0", b"", data):
        with pytest.raises(CorruptValue):
            encryptor.decrypt(changed, b"key")


@given(st.binary(max_size=100))
def test_random_bytes_are_corrupt(data: bytes) -> None:
    encryptor = Encryptor([ONE])
    for forged in (data, encryptor.encrypt(b"", b"")[:4] + data):
        with pytest.raises(CorruptValue):
            encryptor.decrypt(forged, b"key")


def test_a_value_is_not_decrypted_for_another_key_of_the_cache() -> None:
    encryptor = Encryptor([ONE])
    encrypted = encryptor.encrypt(b"mine", b"key 1")
    for other in (b"key 2", b"key ", b"", b"key 11"):
        with pytest.raises(CorruptValue):
            encryptor.decrypt(encrypted, other)


def test_rotation() -> None:
    """The processes of each step can decrypt what those of the step before encrypted, and the other way round."""
    steps = [Encryptor(keys) for keys in ([ONE], [ONE, TWO], [TWO, ONE], [TWO])]
    for before, after in itertools.pairwise(steps):
        assert after.decrypt(before.encrypt(b"x", b"k"), b"k") == b"x"
        assert before.decrypt(after.encrypt(b"x", b"k"), b"k") == b"x"
    with pytest.raises(CorruptValue, match="not among the keys"):
        steps[-1].decrypt(steps[0].encrypt(b"x", b"k"), b"k")


def test_keys_whose_ids_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "_key_id", lambda key: b"same")
    encryptor = Encryptor([ONE, TWO])
    for key in (ONE, TWO):
        assert encryptor.decrypt(Encryptor([key]).encrypt(b"x", b"k"), b"k") == b"x"
    with pytest.raises(CorruptValue, match="changed"):
        encryptor.decrypt(Encryptor([THREE]).encrypt(b"x", b"k"), b"k")


@pytest.mark.parametrize(
    ("keys", "error", "says"),
    [
        ([], ValueError, "empty"),
        (ONE, TypeError, "list of keys"),
        ("secret", TypeError, "list of keys"),
        (None, TypeError, "list of keys"),
        ({ONE}, TypeError, "list of keys"),
        ([b"secret"], ValueError, r"keys\[0\] has 6 bytes; it must have 32"),
        ([ONE, ONE[:16]], ValueError, r"keys\[1\] has 16 bytes; it must have 32"),
        ([ONE.hex()], TypeError, r"keys\[0\] is a str; it must be bytes"),
        ([ONE, None], TypeError, r"keys\[1\] is a NoneType"),
    ],
    ids=repr,
)
def test_wrong_keys(keys: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        Encryptor(keys)
    assert "secret" not in str(caught.value)
    assert "\x01" not in str(caught.value)


def test_no_key_is_shown_or_copied() -> None:
    encryptor = Encryptor([b"secret secret secret secret se."[:31] + b"x", TWO])
    assert repr(encryptor) == str(encryptor) == "Encryptor(2 keys)"
    assert repr(Encryptor([ONE, ONE])) == "Encryptor(1 key)"
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="Encryptor"):
            attempt(encryptor)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "daxlite\[encryption\]"'):
        Encryptor([ONE])


def test_threads_share_an_encryptor() -> None:
    encryptor = Encryptor([ONE])

    def work(n: int) -> bool:
        data = bytes([n]) * 1000
        return all(encryptor.decrypt(encryptor.encrypt(data, data[:9]), data[:9]) == data for _ in range(100))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))
