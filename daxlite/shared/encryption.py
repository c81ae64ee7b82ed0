"""Optional encryption of stored results: access to Redis is not enough to read or to forge one."""

import hashlib
import os
from collections.abc import Sequence
from typing import Final

from ..core.checks import kind_of
from .errors import CorruptValue

KEY_BYTES: Final = 32
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_SHORTEST: Final = _ID_BYTES + _NONCE_BYTES + _TAG_BYTES


class Encryptor:
    """Authenticated encryption with AES-256-GCM. It needs `pip install "daxlite[encryption]"`.

    `keys` are of 32 random bytes each, such as from `secrets.token_bytes(32)`, never a password. The first key
    encrypts, every key decrypts. Nonces are random, so one key may encrypt at most 2**32 values. Rotate keys before
    that, in three steps, each deployed everywhere before the next: append the new key, `[old, new]`; swap them,
    `[new, old]`; after the longest TTL, drop the old one, `[new]`. A value that was encrypted with a dropped key is a
    CorruptValue, which is a miss.

    The length of a value is not hidden. The algorithm cannot be chosen, neither here nor by the data. Raises
    ModuleNotFoundError without the `cryptography` package, TypeError or ValueError for invalid keys.

    >>> encryptor = Encryptor([bytes(range(32))])
    >>> encryptor.decrypt(encryptor.encrypt(b"42 orders", b"key 1"), b"key 1")
    b'42 orders'
    >>> encryptor
    Encryptor(1 key)
    """

    __slots__ = ("_by_id", "_count", "_first", "_first_id", "_invalid")

    def __init__(self, keys: Sequence[bytes]) -> None:
        check_keys("keys", keys)
        if not keys:
            raise ValueError("keys is empty; the first key encrypts")
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                'encryption needs the package cryptography: pip install "daxlite[encryption]"', name=error.name
            ) from error
        self._invalid = InvalidTag
        ciphers = {key: AESGCM(key) for key in keys}
        # Two keys have the same id with a probability of one in four billion.
        self._by_id: dict[bytes, list[AESGCM]] = {}
        for key, cipher in ciphers.items():
            self._by_id.setdefault(_key_id(key), []).append(cipher)
        self._first, self._first_id, self._count = ciphers[keys[0]], _key_id(keys[0]), len(ciphers)

    def __repr__(self) -> str:
        return f"Encryptor({self._count} key{'s' if self._count > 1 else ''})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("an Encryptor holds keys; it cannot be pickled or copied")

    def encrypt(self, data: bytes, bound_to: bytes) -> bytes:
        """The data, encrypted and 32 bytes longer. It can be decrypted with the same `bound_to` only."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._first_id + nonce + self._first.encrypt(nonce, data, self._first_id + bound_to)

    def decrypt(self, data: bytes, bound_to: bytes) -> bytes:
        """The data that was encrypted for `bound_to`. Raises CorruptValue for everything else."""
        if len(data) < _SHORTEST:
            raise CorruptValue("too short to be encrypted")
        key_id, nonce, encrypted = (
            data[:_ID_BYTES],
            data[_ID_BYTES : _ID_BYTES + _NONCE_BYTES],
            data[_ID_BYTES + _NONCE_BYTES :],
        )
        candidates = self._by_id.get(key_id)
        if candidates is None:
            raise CorruptValue("encrypted with a key that is not among the keys")
        for cipher in candidates:
            try:
                return cipher.decrypt(nonce, encrypted, key_id + bound_to)
            except self._invalid:
                continue
        raise CorruptValue("changed after it was encrypted, or encrypted for another key of the cache")


def _key_id(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=_ID_BYTES, person=b"daxlite-key-id").digest()


def check_keys(name: str, keys: Sequence[bytes]) -> None:
    """Raises TypeError or ValueError for what is no list of keys. name: whose it is. Messages show no part of a key."""
    if isinstance(keys, str | bytes | bytearray) or not isinstance(keys, Sequence):
        raise TypeError(f"{name} must be a list of keys, of {KEY_BYTES} bytes each; it is {kind_of(keys)}")
    for at, key in enumerate(keys):
        if type(key) is not bytes:
            raise TypeError(f"{name}[{at}] is {kind_of(key)}; it must be bytes")
        if len(key) != KEY_BYTES:
            raise ValueError(f"{name}[{at}] has {len(key)} bytes; it must have {KEY_BYTES}")
