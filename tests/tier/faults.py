"""What happens to servers and processes while a soak runs."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from typing import Protocol, TypeAlias

import redis

from tests.tier.crew import Process
from tests.valkey import Valkey

POLICIES = ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl", "noeviction")


class Running(Protocol):
    """A soak, as far as a fault knows it."""

    random: random.Random
    nodes: list[Valkey]
    processes: list[Process]
    lease: float
    """Seconds for which a process serves what it keeps after it last proved that it hears."""
    record: float
    """Seconds for which the record of a write stands."""

    def replace(self, place: int) -> None: ...

    def trouble(self) -> contextlib.AbstractContextManager[None]: ...


Fault: TypeAlias = Callable[[Running], None]


def _node(soak: Running) -> Valkey:
    return soak.random.choice(soak.nodes)


def kill_writer(soak: Running) -> None:
    soak.replace(soak.random.randrange(len(soak.processes)))


def stop_writer(soak: Running) -> None:
    process = soak.random.choice(soak.processes)
    with soak.trouble():
        process.pause()
        time.sleep(soak.random.choice([0.3, soak.record + 0.5]))
        process.resume()


def pause_valkey(soak: Running) -> None:
    with soak.trouble():
        node = _node(soak)
        node.pause()
        time.sleep(soak.random.choice([0.2, 1.0, soak.lease + 1.0]))
        node.resume()


def kill_valkey(soak: Running) -> None:
    with soak.trouble():
        node = _node(soak)
        node.kill()
        time.sleep(soak.random.choice([0.0, 1.0]))
        node.restart()


def flush(soak: Running) -> None:
    with _node(soak).client() as client:
        client.flushall()


def kill_connections(soak: Running) -> None:
    with _node(soak).client() as client:
        for kind in soak.random.choice([("normal",), ("pubsub",), ("pubsub", "normal")]):
            client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")


def pause_clients(soak: Running) -> None:
    with soak.trouble(), _node(soak).client() as client:
        client.execute_command("CLIENT", "PAUSE", 500, soak.random.choice(["ALL", "WRITE"]))
        time.sleep(0.6)


def fill_memory(soak: Running) -> None:
    """Little memory, for a while."""
    with _node(soak).client() as client:
        used = client.info("memory")["used_memory"]
        client.config_set("maxmemory-policy", soak.random.choice(POLICIES))
        client.config_set("maxmemory", used - soak.random.choice([0, 20_000, 100_000]))
        time.sleep(soak.record)
        client.config_set("maxmemory", 0)


FAULTS: dict[str, Fault] = {
    "kill a writer": kill_writer,
    "stop a writer": stop_writer,
    "pause Valkey": pause_valkey,
    "kill Valkey": kill_valkey,
    "FLUSHALL": flush,
    "CLIENT KILL": kill_connections,
    "CLIENT PAUSE": pause_clients,
    "maxmemory": fill_memory,
}


def migrate_slot(soak: Running) -> None:
    """Move a slot in which there are keys from one node to another, while it is in use."""
    source, target = soak.random.sample(soak.nodes, 2)
    with source.client() as old, target.client() as new, soak.trouble():
        key = old.randomkey()
        if key is None:
            return
        slot = old.execute_command("CLUSTER KEYSLOT", key)
        old_id, new_id = (each.execute_command("CLUSTER MYID").decode() for each in (old, new))
        new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", old_id)
        old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", new_id)
        while keys := old.execute_command("CLUSTER GETKEYSINSLOT", slot, 20):
            time.sleep(0.05)  # so that calls meet a slot of which a part has moved
            old.execute_command("MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, *[each for each in soak.nodes if each is not target]):
            with node.client() as client, contextlib.suppress(redis.RedisError):
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", new_id)


OF_A_CLUSTER: dict[str, Fault] = {**FAULTS, "migrate a slot": migrate_slot}
