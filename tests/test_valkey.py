"""The servers that the tests of aggregations run against do what those tests rely on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import fakeredis
import pytest
import redis
from redis.exceptions import ConnectionError, RedisClusterException, RedisError, TimeoutError

from tests import valkey as servers
from tests.valkey import Cluster, SentinelGroup, Valkey, only_keys_of, running_cluster, running_valkey, shared_valkey


def refuses(server: Valkey) -> bool:
    with server.client() as client:
        try:
            client.ping()
        except ConnectionError:
            return True
        return False


class TestOneServer:
    def test_listens_on_loopback_alone_and_keeps_nothing(self, own_valkey: Valkey) -> None:
        with own_valkey.client() as client:
            assert client.config_get("bind") == {"bind": "127.0.0.1"}
            assert client.config_get("save") == {"save": ""}
            assert client.config_get("appendonly") == {"appendonly": "no"}

    def test_a_paused_server_does_not_answer_until_it_is_resumed(self, own_valkey: Valkey) -> None:
        with own_valkey.client(socket_timeout=0.2, retry=None) as client:
            client.set("a", "1")
            own_valkey.pause()
            with pytest.raises(TimeoutError):
                client.get("a")
            own_valkey.resume()
            assert client.get("a") == b"1"

    def test_a_killed_server_refuses_and_comes_back_empty(self, own_valkey: Valkey) -> None:
        port = own_valkey.port
        with own_valkey.client() as client:
            client.set("a", "1")
            own_valkey.kill()
            assert refuses(own_valkey)
            with pytest.raises(RuntimeError, match="does not run"):
                own_valkey.pause()
            own_valkey.restart()
            assert own_valkey.port == port
            assert client.get("a") is None

    def test_a_running_server_can_be_restarted(self, own_valkey: Valkey) -> None:
        with own_valkey.client() as client:
            client.set("a", "1")
            own_valkey.restart()
            assert client.get("a") is None

    def test_a_paused_server_ends_with_its_context(self) -> None:
        with running_valkey() as server:
            server.pause()
        assert refuses(server)

    def test_takes_arguments(self) -> None:
        user = ("--user", "ann", "on", ">secret", "~t*", "&*", "+@all", "-flushall", "--user", "default", "off")
        with running_valkey("--maxmemory", "2mb", *user) as server:
            with server.client() as client, pytest.raises(RedisError):
                client.ping()
            with redis.Redis.from_url(f"redis://ann:secret@{server.host}:{server.port}/0") as ann:
                assert ann.config_get("maxmemory") == {"maxmemory": str(2 * 1024 * 1024)}
                assert ann.acl_whoami() in ("ann", b"ann")
                with pytest.raises(redis.exceptions.NoPermissionError):
                    ann.flushall()

    def test_one_that_does_not_start_says_why(self) -> None:
        with pytest.raises(RuntimeError, match="no-such-setting"), running_valkey("--no-such-setting", "1"):
            pass

    def test_a_port_that_is_taken_is_given_up(self, own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
        choose = servers._free_port
        ports = iter([own_valkey.port])
        monkeypatch.setattr(servers, "_free_port", lambda bus: next(ports, None) or choose(bus))
        with running_valkey() as server:
            assert server.port != own_valkey.port

    def test_ends_with_the_process_that_wants_it(self, tmp_path: Path) -> None:
        code = "from tests.valkey import *\nwith running_valkey() as server: print(server.url, flush=True); input()"
        command = [sys.executable, "-c", code]
        with subprocess.Popen(
            command,
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as owner:
            assert owner.stdout is not None
            url = owner.stdout.readline().strip()
            with redis.Redis.from_url(url) as client:
                assert client.ping()
            owner.send_signal(signal.SIGKILL)
            owner.wait()
        host, port = url.removeprefix("redis://").removesuffix("/0").split(":")
        server = Valkey(host, int(port), url)
        servers._wait_until("the server is gone", lambda: refuses(server))


class TestSomebodyElsesServer:
    @pytest.fixture
    def theirs(self, own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Valkey:
        monkeypatch.setenv("REDIS_URL", own_valkey.url)
        return own_valkey

    def test_is_used_and_left_alone(self, theirs: Valkey) -> None:
        with shared_valkey() as server:
            assert (server.host, server.port, server.ours) == (theirs.host, theirs.port, False)
            for act in (server.pause, server.resume, server.kill, server.restart):
                with pytest.raises(RuntimeError, match="a server of our own"):
                    act()
        assert not refuses(theirs)

    def test_that_does_not_answer_fails(self, theirs: Valkey) -> None:
        theirs.kill()
        with pytest.raises(RuntimeError, match="REDIS_URL"), shared_valkey():
            pass


class TestOnlyKeysOf:
    def test_keys_that_were_there_do_not_count(self, own_valkey: Valkey) -> None:
        with own_valkey.client() as client:
            client.set("other", "1")
            with only_keys_of("t1", client):
                client.set("t1:a", "1", ex=10)

    def test_finds_keys_elsewhere(self, own_valkey: Valkey) -> None:
        with own_valkey.client() as client, pytest.raises(AssertionError, match="other"):  # noqa: SIM117
            with only_keys_of("t1", client):
                client.set("other", "1", ex=10)

    def test_finds_keys_without_a_ttl(self, own_valkey: Valkey) -> None:
        with own_valkey.client() as client, pytest.raises(AssertionError, match=r"without a TTL.*t1:a"):  # noqa: SIM117
            with only_keys_of("t1", client):
                client.set("t1:a", "1")

    def test_other_tests_may_use_the_same_server(self, own_valkey: Valkey) -> None:
        with own_valkey.client() as client, only_keys_of("t1", client, alone=False):
            client.set("t0123456789ab:a", "1")

    @pytest.mark.usefixtures("only_own_keys")
    def test_the_fixture(self, valkey: Valkey, namespace: str) -> None:
        with valkey.client() as client:
            client.set(f"{namespace}:a", "1", px=5000)


class TestCluster:
    def test_spreads_keys_over_its_nodes(self, valkey_cluster: Cluster, namespace: str) -> None:
        assert len(valkey_cluster.nodes) == 3
        keys = [f"{namespace}:{i}" for i in range(60)]
        with valkey_cluster.client() as client:
            for key in keys:
                client.set(key, "1", ex=60)
            found = [client.get(key) for key in keys]
            homes = {client.get_node_from_key(key).port for key in keys}
        assert found == [b"1"] * 60
        assert homes == {node.port for node in valkey_cluster.nodes}
        for node in valkey_cluster.nodes:
            with node.client() as client:
                assert client.dbsize() > 0
                assert client.config_get("bind") == {"bind": "127.0.0.1"}

    def test_refuses_a_command_on_keys_of_several_slots(self, valkey_cluster: Cluster, namespace: str) -> None:
        with valkey_cluster.client() as client:
            with pytest.raises(RedisClusterException):
                client.mget(f"{namespace}:a", f"{namespace}:b")
            assert client.mget(f"{{{namespace}}}:a", f"{{{namespace}}}:b") == [None, None]

    def test_the_url_finds_all_of_it(self, valkey_cluster: Cluster) -> None:
        with redis.RedisCluster.from_url(valkey_cluster.url) as client:
            assert {node.port for node in client.get_nodes()} == {node.port for node in valkey_cluster.nodes}

    def test_a_node_of_it_can_be_paused_and_killed(self) -> None:
        with running_cluster() as cluster, cluster.client(socket_timeout=0.2) as client:
            keys = {client.get_node_from_key(key).port: key for key in map(str, range(60))}
            first, second, third = cluster.nodes
            first.pause()
            second.kill()
            with third.client() as direct:
                assert direct.set(keys[third.port], "1")
            with first.client(socket_timeout=0.2, retry=None) as direct, pytest.raises(TimeoutError):
                direct.get(keys[first.port])
            assert refuses(second)


class TestSentinel:
    def test_knows_the_primary_and_its_replica(self, sentinel_group: SentinelGroup) -> None:
        group = sentinel_group
        sentinel = group.sentinel()
        assert sentinel.discover_master(group.name) == (group.primary().host, group.primary().port)
        assert sentinel.discover_slaves(group.name) == [(group.replica().host, group.replica().port)]
        for node in group.nodes:
            with node.client() as client:
                assert client.config_get("bind") == {"bind": "127.0.0.1"}

    def test_promotes_the_replica(self, sentinel_group: SentinelGroup) -> None:
        group = sentinel_group
        old, new = group.primary(), group.replica()
        with group.sentinel().master_for(group.name) as client:
            client.set("a", "1")
            client.wait(1, 1000)  # replication is asynchronous
            group.fail_over()
            assert group.primary() is new
            assert group.replica() is old
            assert client.get("a") == b"1"
            assert client.set("a", "2")


def test_fakeredis_runs_scripts_without_a_warning() -> None:
    with fakeredis.FakeRedis() as client:
        client.set("a", "1")
        assert client.eval("return redis.call('GET', KEYS[1])", 1, "a") == b"1"
