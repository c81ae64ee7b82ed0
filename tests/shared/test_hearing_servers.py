"""Hearing on real servers (promise P5): in order, never deaf without knowing it, and back after every trouble."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fakeredis
import pytest

from daxlite.core.extents import EVERYTHING
from daxlite.shared.breaker import Breaker
from daxlite.shared.clients import ThreadClient
from daxlite.shared.hearing import Hearing
from daxlite.shared.keyspace import Keyspace
from daxlite.shared.leases import LEASE
from daxlite.shared.line import Line
from daxlite.shared.messages import Message, encode_message
from daxlite.shared.tags import SIZE
from daxlite.shared.wires import RedisWire, Sentinels, Servers
from tests.forking import in_child
from tests.valkey import (
    HOST,
    Cluster,
    SentinelGroup,
    Valkey,
    _directory,
    _running,
    running_cluster,
    running_valkey,
)

TABLE, OTHER = b"table 01", b"table 02"


def wait_until(what: str, holds: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.002)


class Ear:
    """A process that hears."""

    def __init__(self, client: Any, namespace: str, **options: Any) -> None:
        self.keyspace = Keyspace(namespace)
        self.breaker = Breaker(time.monotonic)
        self.hearing = Hearing(Servers(ThreadClient(client)), self.keyspace, self.breaker, **options)
        self.hearing.on_message = self._hear
        self.hearing.on_lost = self._lose
        self.hearing.on_fault = self.faults = [].append  # type: ignore[assignment]
        self.heard: list[tuple[bytes, int]] = []
        """Tables, and numbers of what was told there."""
        self.epochs: list[int] = []
        """The epoch in which each was heard."""
        self.lost = 0

    def _hear(self, message: Message) -> None:
        (tag,) = message.changed
        self.heard.append((tag[:8], int.from_bytes(message.id)))
        self.epochs.append(self.hearing.epoch)

    def _lose(self) -> None:
        self.lost += 1

    def listen(self, table: bytes = TABLE) -> None:
        self.hearing.listen(table)
        wait_until("it hears", lambda: self.hearing.hears(table))

    def numbers(self, table: bytes = TABLE) -> list[int]:
        return [number for of, number in self.heard if of == table]

    def channel(self, table: bytes = TABLE) -> str:
        return self.keyspace.table_channel(table)

    def tell(self, client: Any, number: int, table: bytes = TABLE) -> None:
        client.execute_command("PUBLISH", self.channel(table), told(number, table))

    def hears_again(self, epoch: int) -> bool:
        return self.hearing.epoch >= epoch and self.hearing.hears(TABLE)


def told(number: int, table: bytes = TABLE) -> bytes:
    return encode_message(number.to_bytes(16), 0.0, {table.ljust(SIZE, b"."): EVERYTHING})


@contextmanager
def listening(client: Any, namespace: str, **options: Any) -> Iterator[Ear]:
    ear = Ear(client, namespace, **options)
    try:
        ear.listen()
        yield ear
    finally:
        ear.hearing.close()


def test_p5_what_is_published_arrives_in_order(valkey: Valkey, namespace: str) -> None:
    script = "for i = 2, #ARGV do redis.call('PUBLISH', ARGV[1], ARGV[i]) end"
    with valkey.client() as client, listening(client, namespace) as ear:
        for first in range(0, 1000, 10):
            client.eval(script, 0, ear.channel(), *[told(number) for number in range(first, first + 10)])
        wait_until("all arrived", lambda: len(ear.heard) == 1000)
        assert ear.numbers() == list(range(1000))
        assert ear.hearing.epoch == 1


@pytest.mark.parametrize("options", [{"protocol": 2}, {"health_check_interval": 1}, {"socket_timeout": None}])
def test_it_hears_whatever_the_settings_of_the_client(valkey: Valkey, namespace: str, options: Any) -> None:
    with valkey.client(**options) as client, listening(client, namespace) as ear:
        ear.tell(client, 1)
        wait_until("it arrived", lambda: ear.numbers() == [1])


def test_p5_a_server_that_is_stopped_is_not_heard(own_valkey: Valkey, namespace: str) -> None:
    with own_valkey.client() as client, listening(client, namespace) as ear:
        stopped_at = time.monotonic()
        own_valkey.pause()
        wait_until("it is deaf", lambda: not ear.hearing.hears(TABLE))
        assert time.monotonic() - stopped_at <= LEASE + 0.5
        wait_until("it gives the connection up", lambda: ear.lost)
        own_valkey.resume()
        wait_until("it hears", lambda: ear.hears_again(2))
        ear.tell(client, 1)
        wait_until("it arrived", lambda: ear.numbers() == [1])


def test_p5_a_server_that_is_killed_and_started_again(own_valkey: Valkey, namespace: str) -> None:
    with own_valkey.client() as client, listening(client, namespace) as ear:
        own_valkey.kill()
        wait_until("it is deaf", lambda: not ear.hearing.hears(TABLE), LEASE / 2)
        wait_until("it says so", lambda: ear.lost == 1)
        assert ear.breaker.troubles.are_there
        own_valkey.restart()
        wait_until("it hears", lambda: ear.hears_again(2))
        assert ear.lost == 1, "beginnings that failed are no losses"
        assert not ear.breaker.troubles.are_there


def test_p5_nothing_is_missed_within_an_epoch(valkey: Valkey, namespace: str) -> None:
    """While its connection is killed again and again, and others publish: what was told while it heard, before and
    after in the same epoch, has arrived."""
    with valkey.client() as client, valkey.client() as killer, listening(client, namespace) as ear:
        witnessed: list[tuple[int, int]] = []
        for number in itertools.count():
            wait_until("it hears", lambda: ear.hearing.hears(TABLE))
            epoch = ear.hearing.epoch
            if epoch > 10:
                break
            if number % 50 == 25:
                for each in killer.client_list():
                    if each["sub"] == "2":
                        killer.client_kill_filter(_id=each["id"])
            ear.tell(client, number)
            witnessed.append((number, epoch))
        last = 10**6
        wait_until("the last one arrived", lambda: ear.tell(client, last) or last in ear.numbers())
        arrived = dict(zip(ear.numbers(), ear.epochs, strict=True))
        missed = 0
        for epoch in range(1, 11):
            came = [arrived.get(number) == epoch for number, at in witnessed if at == epoch]
            assert came == sorted(came, reverse=True), f"epoch {epoch}: only its end may be lost"
            missed += not came[-1]
        assert missed, "what is told to a connection that is being killed"
        assert ear.lost == ear.hearing.epoch - 1


def test_p5_a_primary_that_becomes_a_replica_is_not_heard(own_valkey: Valkey, namespace: str) -> None:
    with running_valkey() as other, own_valkey.client() as client, listening(client, namespace) as ear:
        client.replicaof(other.host, other.port)
        wait_until("it notices", lambda: not ear.hearing.hears(TABLE), LEASE)
        wait_until("it says so", lambda: ear.lost)
        client.replicaof("NO", "ONE")
        wait_until("it hears", lambda: ear.hears_again(2))


def test_p5_a_table_that_is_added_under_load(valkey: Valkey, namespace: str) -> None:
    with valkey.client() as client, listening(client, namespace) as ear:
        number, is_over = itertools.count(), threading.Event()
        told_so_far = 0

        def publish() -> None:
            nonlocal told_so_far
            with valkey.client() as another:
                while not is_over.is_set():
                    told_so_far = next(number)
                    ear.tell(another, told_so_far, TABLE)
                    ear.tell(another, told_so_far, OTHER)

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            wait_until("it is loaded", lambda: told_so_far > 100)
            ear.listen(OTHER)
            since = told_so_far + 1
            wait_until("some more", lambda: told_so_far > since + 500)
        finally:
            is_over.set()
            publisher.join()
        wait_until("all arrived", lambda: ear.numbers()[-1] == ear.numbers(OTHER)[-1] == told_so_far)
        assert ear.numbers() == list(range(told_so_far + 1)), "the other table is heard all the time"
        assert [each for each in ear.numbers(OTHER) if each >= since] == list(range(since, told_so_far + 1))
        assert ear.hearing.epoch == 1


def test_a_user_without_the_right_to_ask_for_the_role(own_valkey: Valkey, namespace: str) -> None:
    with own_valkey.client() as admin:
        admin.execute_command("ACL", "SETUSER", "shop", "on", ">secret", "~*", "&*", "+@all", "-role")
        with own_valkey.client(username="shop", password="secret") as client, listening(client, namespace) as ear:
            ear.tell(client, 1)
            wait_until("it arrived", lambda: ear.numbers() == [1])
            time.sleep(2 * LEASE)
            assert ear.hearing.hears(TABLE)
            assert ear.hearing.epoch == 1


def test_a_user_without_the_right_to_ask_what_the_server_is(own_valkey: Valkey, namespace: str) -> None:
    with own_valkey.client() as admin:
        admin.execute_command("ACL", "SETUSER", "shop", "on", ">secret", "~*", "&*", "+@all", "-info")
        with own_valkey.client(username="shop", password="secret") as client:
            ear = Ear(client, namespace)
            ear.hearing.listen(TABLE)
            wait_until("it gives up", lambda: not ear.hearing.is_possible)
            assert ear.hearing.obstacle == "the user may not run INFO; its ACL needs +info"
            ear.hearing.close()


def test_a_user_without_the_right_to_the_channels(own_valkey: Valkey, namespace: str) -> None:
    with own_valkey.client() as admin:
        admin.execute_command("ACL", "SETUSER", "shop", "on", ">secret", "~*", "+@all", "resetchannels")
        with own_valkey.client(username="shop", password="secret") as client:
            ear = Ear(client, namespace)
            ear.hearing.listen(TABLE)
            wait_until("it is refused", lambda: ear.breaker.troubles.are_there)
            admin.execute_command("ACL", "SETUSER", "shop", "&*")
            wait_until("it hears", lambda: ear.hearing.hears(TABLE))
            assert not ear.breaker.troubles.are_there
            ear.hearing.close()


def test_after_a_fork_both_hear(valkey: Valkey, namespace: str) -> None:
    with valkey.client() as client, listening(client, namespace) as ear:

        def check() -> None:
            ear.hearing.begin()
            assert not ear.hearing.hears(TABLE)
            ear.listen()
            with valkey.client() as another:
                ear.tell(another, 1)
            wait_until("it arrived", lambda: ear.numbers() == [1])
            ear.hearing.close()

        in_child(check)
        wait_until("it arrived", lambda: ear.numbers() == [1])
        assert ear.hearing.epoch == 1
        ear.tell(client, 2)
        wait_until("it arrived", lambda: ear.numbers() == [1, 2])


def test_fakeredis_will_do_in_the_tests_of_applications(namespace: str) -> None:
    client = fakeredis.FakeRedis()
    with listening(client, namespace) as ear:
        ear.tell(client, 1)
        wait_until("it arrived", lambda: ear.numbers() == [1])


# Sentinel


def test_p5_after_a_fail_over_the_new_primary_is_heard(sentinel_group: SentinelGroup, namespace: str) -> None:
    client = sentinel_group.sentinel().master_for(sentinel_group.name)
    with listening(client, namespace) as ear:
        sentinel_group.fail_over()
        wait_until("it hears", lambda: ear.hears_again(2))
        with sentinel_group.primary().client() as another:
            ear.tell(another, 1)
        wait_until("it arrived", lambda: ear.numbers() == [1])


def test_p5_the_sentinels_are_asked_for_the_primary(sentinel_group: SentinelGroup) -> None:
    """One that is cut off from them does not know that it is none any more."""
    clock = iter(range(0, 10**9, 3)).__next__
    client = sentinel_group.sentinel().master_for(sentinel_group.name)
    sentinels = Sentinels(client.connection_pool, clock)
    before = HOST, sentinel_group.primary().port
    wait_until("a sentinel names it", lambda: sentinels.primary() == before)
    wire = RedisWire(client)
    assert wire.is_current
    sentinel_group.fail_over()
    after = HOST, sentinel_group.primary().port
    wait_until("a sentinel names the next one", lambda: sentinels.primary() == after)
    wait_until("the connection is known to be of no primary", lambda: not wire.is_current)
    sentinel_group.watcher.kill()
    for _ in range(10):
        assert sentinels.primary() == after, "the last word is good"
    sentinel_group.watcher.restart()
    wait_until("a sentinel is asked again", lambda: sentinels.primary() and sentinels._asked_at is not None)
    sentinels.close()
    wire.close()


# A cluster


def test_a_message_is_heard_once(valkey_cluster: Cluster, namespace: str) -> None:
    client = valkey_cluster.client()
    with listening(client, namespace) as ear:
        for number, node in enumerate(10 * valkey_cluster.nodes):
            with node.client() as another:
                ear.tell(another, number)
        counts = ear.hearing.counts
        wait_until("all arrived", lambda: counts.messages + counts.duplicates == 90)
        assert sorted(ear.numbers()) == list(range(30))
        assert counts.duplicates == 60
        for _ in range(2):  # told again in the same words
            for node in valkey_cluster.nodes:
                with node.client() as another:
                    ear.tell(another, 100)
        wait_until("all arrived", lambda: counts.messages + counts.duplicates == 90 + 18)
        assert ear.numbers().count(100) == 6
    client.close()


def test_p5_an_answer_proves_what_its_own_node_published(valkey_cluster: Cluster, namespace: str) -> None:
    """And nothing of the others: that is why there is a line to each primary."""
    client = valkey_cluster.client()
    servers = Servers(ThreadClient(client))
    channel, subscription = Keyspace(namespace).table_channel(TABLE), Keyspace(namespace).subscription(TABLE)
    lines = [Line(servers.open(each), time.monotonic, time.time) for each in servers.primaries()]
    nodes = {node.port: node for node in valkey_cluster.nodes}
    own, another = (nodes[each.port] for each in servers.primaries()[:2])
    heard: list[bytes] = []

    def prove(line: Line) -> None:
        asked = line.proved_at
        line._next_at = 0.0
        line.ask()
        while line.proved_at == asked:
            line.read(1.0, heard.append)

    for line in lines:
        line.subscribe(subscription)
        while not line.subscriptions:
            line.read(1.0, heard.append)
    missed = number = 0
    with own.client() as here, another.client() as there:
        # The other node is seldom late where the machine is busy.
        while number < 300 or (not missed and number < 10_000):
            number += 1
            here.publish(channel, b"%d" % number)
            prove(lines[0])
            assert heard.pop() == b"%d" % number
            there.publish(channel, b"%d" % number)
            prove(lines[0])
            missed += not heard
            while not heard:
                lines[0].read(1.0, heard.append)
            heard.clear()
    assert missed > 0
    for line in lines:
        line.close()
    client.close()


def test_p5_a_cluster_is_heard_only_while_every_primary_answers(namespace: str) -> None:
    with running_cluster() as cluster:
        client = cluster.client()
        with listening(client, namespace) as ear:
            epoch = ear.hearing.epoch
            cluster.nodes[1].pause()
            wait_until("it is deaf", lambda: not ear.hearing.hears(TABLE), 2 * LEASE)
            wait_until("it gives the connection up", lambda: ear.lost)
            cluster.nodes[1].resume()
            wait_until("it hears", lambda: ear.hears_again(epoch + 1))
            epoch = ear.hearing.epoch
            cluster.nodes[2].kill()
            wait_until("it is deaf", lambda: not ear.hearing.hears(TABLE), LEASE / 2)
            cluster.nodes[2].restart()
            wait_until("it hears", lambda: ear.hears_again(epoch + 1), 40)
        client.close()


def test_p5_a_primary_that_is_added_is_heard(namespace: str) -> None:
    """The client sends no command that would tell it of the new one."""
    arguments = ("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-announce-ip", HOST)
    with running_cluster() as cluster, _directory() as directory, _running(directory, arguments, bus=True) as added:
        client = cluster.client()
        with listening(client, namespace) as ear:
            epoch = ear.hearing.epoch
            with added.client() as newcomer, cluster.nodes[0].client() as first:
                first.execute_command("CLUSTER MEET", added.host, added.port)
                name = newcomer.execute_command("CLUSTER MYID")
                clients = [node.client() for node in cluster.nodes]
                knows = "every node knows the new one"
                wait_until(knows, lambda: all(name.decode() in str(each.cluster("NODES")) for each in clients))
                assert ear.hearing.epoch == epoch, "as long as it has no slots it publishes nothing"
                for each in (newcomer, *clients):
                    each.execute_command("CLUSTER SETSLOT", 5, "NODE", name)
                wait_until(
                    "it hears the new one", lambda: ear.hears_again(epoch + 1) and len(ear.hearing._lines.all) == 4
                )
                ear.tell(newcomer, 1)
                wait_until("it arrived", lambda: ear.numbers() == [1])
        client.close()
