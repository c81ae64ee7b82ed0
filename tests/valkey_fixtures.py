"""Fixtures that give a test a Valkey server, and a namespace of its own in it."""

import secrets
from collections.abc import Iterator

import pytest

from tests.valkey import (
    Cluster,
    SentinelGroup,
    Valkey,
    only_keys_of,
    running_cluster,
    running_sentinel,
    running_valkey,
    shared_valkey,
)


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """One server for all tests of this process, or of all users of that of ``REDIS_URL``: leave it as it is."""
    with shared_valkey() as server:
        yield server


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """A server that this test alone uses, to pause it, to kill it, or to change its settings."""
    with running_valkey() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[Cluster]:
    """One cluster for all tests of this process. It takes two seconds to start, since its nodes wait that long before
    they take writes; a test that kills a node has to start a cluster nevertheless."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def sentinel_group() -> Iterator[SentinelGroup]:
    """A primary, a replica and a sentinel that this test alone uses."""
    with running_sentinel() as group:
        yield group


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test has, on this server or in another run."""
    return f"t{secrets.token_hex(6)}"


@pytest.fixture
def only_own_keys(valkey: Valkey, namespace: str) -> Iterator[None]:
    """Checks what the test left on the shared server: nothing outside of its namespace, and nothing for ever."""
    with valkey.client() as client, only_keys_of(namespace, client, alone=valkey.ours):
        yield
