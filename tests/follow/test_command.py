"""`daxlite follow` as a process: what it drops, how it ends, and what it says."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
import pytest

import daxlite
from daxlite.feeds.following import TableFeed
from daxlite.follow.command import Exit, Options, run
from daxlite.follow.output import JsonOutput
from tests import servers
from tests.aggregations.servers.waiting import wait_until
from tests.feeds.running import Command, following
from tests.proxy import bad_line
from tests.stream_fixtures import create
from tests.valkey import Valkey

SECRET = "s3cret"
Follow = Callable[..., AbstractContextManager[Command]]


class Ended(NamedTuple):
    """What the command left behind."""

    status: int
    last: dict[str, Any]
    printed: str


@pytest.fixture
def follow(moto_url: str, valkey: Valkey, namespace: str) -> Follow:
    """The command, on the tables that are named."""

    def run(*tables: str, more: tuple[str, ...] = (), endpoint: str = moto_url) -> AbstractContextManager[Command]:
        arguments = [part for table in tables for part in ("--table", table)]
        return following(endpoint, valkey.url, "--namespace", namespace, "--poll", "0.2", *arguments, *more)

    return run


@pytest.fixture
def wrapped(moto_url: str, valkey: Valkey, namespace: str) -> Iterator[Any]:
    """A wrapped client whose process shares the tier that is kept fresh."""
    cache = daxlite.Cache(shared=daxlite.Shared(valkey.url, namespace, budget=5.0))
    client = boto3.client("dynamodb", **servers.connection(moto_url))
    yield daxlite.wrap(client, cache)
    cache.close()
    client.close()


def item(version: int, pk: str = "a") -> dict[str, Any]:
    return {"pk": {"S": pk}, "v": {"N": str(version)}}


def version(client: Any, table: str, pk: str = "a") -> int:
    return int(client.get_item(TableName=table, Key={"pk": {"S": pk}})["Item"]["v"]["N"])


def test_p6_what_another_program_writes_is_dropped_in_a_process_that_shares_the_tier(
    follow: Follow, streamed: Callable[..., str], other_program: Any, wrapped: Any
) -> None:
    table = streamed()
    other_program.put_item(TableName=table, Item=item(1))
    with follow(table, more=("--start", "latest", "--every", "1")) as command:
        command.begun()
        wait_until("the first version is cached", lambda: is_cached(wrapped, table))
        other_program.put_item(TableName=table, Item=item(2))
        wait_until("the second version is seen", lambda: version(wrapped, table) == 2)
        wrapped.put_item(TableName=table, Item=item(3))
        wait_until("it has read both records", lambda: [each["records"] for each in progress(command)][-1:] == [2])
        assert command.end()[0] == 0
    last = progress(command)[-1]
    assert (last["table"], last["shards"], last["gaps"], last["per_second"] >= 0) == (table, 1, 0, True)
    assert last["applied"] >= 1
    assert last["applied"] + last["echoes"] == 2


def progress(command: Command) -> list[dict[str, Any]]:
    return command.events("progress")


def is_cached(client: Any, table: str) -> bool:
    """Whether a read asks DynamoDB no more."""
    answer = client.get_item(TableName=table, Key={"pk": {"S": "a"}})
    return "x-cache" in answer["ResponseMetadata"]["HTTPHeaders"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_restart_hears_what_was_written_in_between(
    follow: Follow, streamed: Callable[..., str], other_program: Any, wrapped: Any, number: int
) -> None:
    table = streamed()
    with follow(table, more=("--start", "latest")) as command:
        command.begun()
        other_program.put_item(TableName=table, Item=item(1))
        wait_until("the first version is cached", lambda: is_cached(wrapped, table))
        status, seconds = command.end(number)
        assert status == 0
        assert seconds < 3, "it waits for nothing"
    other_program.put_item(TableName=table, Item=item(2))
    assert version(wrapped, table) == 1, "nobody told of it"
    with follow(table) as command:
        command.begun()
        wait_until("the second version is seen", lambda: version(wrapped, table) == 2)
        assert command.end()[0] == 0, command.lines


def test_a_request_without_a_reply_does_not_hold_the_end_nor_the_checkpoint(
    follow: Follow, streamed: Callable[..., str], other_program: Any, wrapped: Any, moto_url: str
) -> None:
    table, address = streamed(), urlsplit(moto_url)
    assert address.hostname is not None
    assert address.port is not None
    with bad_line(address.hostname, address.port) as line:
        endpoint = f"http://{line.host}:{line.port}"
        with follow(table, endpoint=endpoint, more=("--start", "latest", "--every", "1")) as command:
            command.begun()
            other_program.put_item(TableName=table, Item=item(1))
            wait_until("it has read", lambda: [each["records"] for each in progress(command)][-1:] == [1])
            line.mode = "hang"
            other_program.put_item(TableName=table, Item=item(2))
            wait_until("a request gets no reply", lambda: line.held)
            status, seconds = command.end()
            assert (status, command.logged()) == (0, "")
            assert seconds < 3, "a request may take five seconds"
        line.mode = "pass"
        with follow(table, endpoint=endpoint, more=("--every", "1")) as command:
            command.begun()
            wait_until(
                "it goes on behind the first record", lambda: [e["records"] for e in progress(command)][-1:] == [1]
            )
            assert command.end()[0] == 0, "no gap"


def test_it_ends_before_it_has_begun(follow: Follow, streamed: Callable[..., str], moto_url: str) -> None:
    table, address = streamed(), urlsplit(moto_url)
    assert address.hostname is not None
    assert address.port is not None
    with bad_line(address.hostname, address.port) as line:
        line.mode = "hang"
        with follow(table, endpoint=f"http://{line.host}:{line.port}") as command:
            wait_until("a request gets no reply", lambda: line.held)
            status, seconds = command.end()
    assert (status, command.events("begun")) == (0, [])
    assert seconds < 3, "a request may take five seconds"


def test_without_a_checkpoint_there_is_a_gap(follow: Follow, streamed: Callable[..., str]) -> None:
    table = streamed()
    with follow(table) as command:
        command.begun()
        assert command.end()[0] == 3
    [said] = command.events("log")
    assert said["level"] == "warning"
    assert f"a gap in the changes of {table}: there is no checkpoint" in said["text"]


def test_a_gap_is_told_once_with_its_length(
    follow: Follow, streamed: Callable[..., str], other_program: Any, wrapped: Any
) -> None:
    table = streamed()
    other_program.put_item(TableName=table, Item=item(1))
    with follow(table, more=("--start", "latest")) as command:
        command.begun()
        wait_until("it is cached", lambda: is_cached(wrapped, table))
        assert command.end()[0] == 0
    other_program.delete_table(TableName=table)
    create(other_program, table)
    other_program.put_item(TableName=table, Item=item(2))
    with follow(table) as command:
        command.begun()
        wait_until("the second version is seen", lambda: version(wrapped, table) == 2)
        assert command.end()[0] == 3
    [said] = command.events("log")
    assert "of at most" in said["text"]
    assert "the table has another stream" in said["text"]
    [ended] = command.events("ended")
    assert ended["text"] == "ended as asked; there was 1 gap"


@pytest.mark.parametrize("has_a_table", [True, False])
def test_a_lost_stream_ends_it(
    follow: Follow, streamed: Callable[..., str], other_program: Any, wrapped: Any, has_a_table: bool
) -> None:
    table, other = streamed(), streamed()
    other_program.put_item(TableName=table, Item=item(1))
    with follow(other, table, more=("--start", "latest", "--look-every", "1")) as command:
        command.begun()
        wait_until("it is cached", lambda: is_cached(wrapped, table))
        if has_a_table:
            other_program.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
        else:
            other_program.delete_table(TableName=table)
        assert command.status() == 4
    [ended] = command.events("ended")
    lost = f"{table} has no stream" if has_a_table else f"there is no table {table}"
    assert ended["text"].startswith(f"a stream was lost: {lost}")
    if has_a_table:
        wait_until("what was cached is dropped", lambda: not is_cached(wrapped, table))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], moto_url: str) -> Callable[..., Ended]:
    """The command in this process, which takes a tenth of the time that it takes to start another one."""
    for name, value in servers.connection(moto_url).items():
        if name.startswith("aws_"):
            monkeypatch.setenv(name.upper(), value)

    def run_here(redis_url: str, *tables: str, endpoint: str = moto_url, health_file: Path | None = None) -> Ended:
        shared = daxlite.Shared(redis_url, budget=5.0)
        options = Options(tables, shared, "us-east-1", endpoint, start="latest", health_file=health_file)
        status = run(options, JsonOutput(10.0))
        printed = capsys.readouterr().out
        return Ended(status, json.loads(printed.splitlines()[-1]), printed)

    return run_here


def test_what_it_cannot_begin_with(here: Callable[..., Ended], streamed: Callable[..., str], valkey: Valkey) -> None:
    table = streamed()
    for ended, why in [
        (here(valkey.url, "Nope"), "there is no table Nope"),
        (
            here(valkey.url, table, streamed(None)),
            "has no stream; enable one, best with StreamViewType NEW_AND_OLD_IMAGES",
        ),
        (here(valkey.url, table, endpoint="http://127.0.0.1:1"), "Could not connect to the endpoint URL"),
        (here(valkey.url, table, health_file=Path("/nonexistent/health")), "the health file cannot be written"),
        (here("redis://127.0.0.1:1", table), "Redis cannot be used: "),
    ]:
        assert ended.status == Exit.NOT_BEGUN
        assert (ended.last["event"], ended.last["text"][:17]) == ("ended", "could not begin: ")
        assert why in ended.last["text"]


def test_neither_items_nor_passwords_are_in_what_it_says(
    here: Callable[..., Ended], streamed: Callable[..., str], other_program: Any, moto_url: str, own_valkey: Valkey
) -> None:
    table = streamed()
    with own_valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "shop", "on", f">{SECRET}", "~*", "&*", "+@all")
        client.execute_command("ACL", "SETUSER", "reader", "on", f">{SECRET}", "~*", "&*", "+@all", "-set")
    for user in (f"shop:{SECRET}x", f"reader:{SECRET}"):
        ended = here(own_valkey.url.replace("redis://", f"redis://{user}@"), table)
        assert ended.status == Exit.NOT_BEGUN
        assert SECRET not in ended.printed
    url = own_valkey.url.replace("redis://", f"redis://shop:{SECRET}@")
    with following(moto_url, url, "--table", table, "--start", "latest", "--every", "1") as command:
        command.begun()
        other_program.put_item(TableName=table, Item={"pk": {"S": SECRET}, "a": {"S": SECRET}})
        wait_until("it has read", lambda: [each["records"] for each in progress(command)][-1:] == [1])
        assert command.end()[0] == 0
    assert SECRET not in "".join(command.lines)


def test_it_prints_lines_for_people(streamed: Callable[..., str], moto_url: str, valkey: Valkey) -> None:
    table = streamed()
    arguments = ("--table", table, "--start", "latest", "--no-json")
    with following(moto_url, valkey.url, *arguments) as command:
        wait_until("it has begun", lambda: any(line.endswith(f" info following {table}\n") for line in command.lines))
        command.process.send_signal(signal.SIGTERM)
        command.process.wait()
    assert json.dumps(table) not in "".join(command.lines)


@pytest.mark.faults_expected
def test_a_fault_in_daxlite_ends_it(
    here: Callable[..., Ended], streamed: Callable[..., str], valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(feed: Any) -> Any:
        raise RuntimeError(SECRET)
        yield

    monkeypatch.setattr(TableFeed, "follow", fail)
    ended = here(valkey.url, streamed())
    assert ended.status == Exit.FAULT
    assert (ended.last["event"], ended.last["text"]) == ("ended", "a feed has failed: RuntimeError")
