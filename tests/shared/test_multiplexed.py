"""One connection for all tasks of an event loop: each gets its own reply, or learns in time that none comes (P7)."""

import asyncio
import contextvars
import gc
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from daxlite.shared.async_connection import AsyncConnection
from daxlite.shared.breaker import Breaker
from daxlite.shared.clients import client_of
from daxlite.shared.endpoints import Sentinels, endpoint_of, server_of
from daxlite.shared.errors import Unavailable
from daxlite.shared.exchanges import Budget
from tests.aggregations.scripted import AsyncClient, Clock, Server
from tests.forking import in_child
from tests.proxy import bad_line
from tests.valkey import SentinelGroup, Valkey

BUDGET = 0.25
SLACK = 0.5
"""Seconds: the machine may be busy."""
COUNT = "return redis.call('INCR', KEYS[1])"


def connection_to(url: str, budget: float | None = 5.0) -> AsyncConnection:
    return AsyncConnection(endpoint_of(client_of(url, 5.0)), Breaker(Clock()), budget)


def run(connection: AsyncConnection, work: Coroutine[Any, Any, Any]) -> Any:
    """Do some work in an event loop of its own, and close what it opened."""

    async def main() -> Any:
        try:
            return await work
        finally:
            await connection.loops.async_close()

    return asyncio.run(main())


@pytest.fixture
def keys(valkey: Valkey, namespace: str) -> Iterator[list[str]]:
    """Keys whose values are their names."""
    made = [f"{namespace}:{number}" for number in range(100)]
    with valkey.client() as admin:
        admin.mset({key: key for key in made})
        yield made
        admin.delete(*made)


def counted(server: Valkey, key: str) -> int:
    with server.client() as admin:
        return int(admin.get(key) or 0)


def clients_of(server: Valkey) -> int:
    """How many connections a server has, beside the one that asks."""
    with server.client() as admin:
        return len(admin.client_list()) - 1


def test_each_task_gets_its_own_replies_over_one_connection(own_valkey: Valkey) -> None:
    connection = connection_to(own_valkey.url)

    async def main() -> None:
        async def ask(number: int) -> None:
            assert await connection.run([("SET", f"k{number}", b"%d" % number, "PX", 60_000)]) == [True]
            assert await connection.get([f"k{number}", "none"]) == [b"%d" % number, None]
            assert await connection.run([("EVAL", COUNT, 1, f"k{number}"), ("PTTL", "none")]) == [number + 1, -2]

        await asyncio.gather(*[ask(number) for number in range(500)])
        assert clients_of(own_valkey) == 1

    run(connection, main())
    assert connection.breaker.errors == 0


def test_what_is_asked_in_one_turn_of_the_loop_is_written_at_once(valkey: Valkey, keys: list[str]) -> None:
    connection = connection_to(valkey.url)

    async def main() -> None:
        await connection.get(keys[:1])
        writer = stream_of(connection)._connection._writer
        writes: list[int] = []
        plain = writer.writelines

        def writelines(parts: list[bytes]) -> None:
            writes.append(len(parts))
            plain(parts)

        writer.writelines = writelines
        await asyncio.gather(*[connection.get([key]) for key in keys])
        assert writes == [100]

    run(connection, main())


def stream_of(connection: AsyncConnection) -> Any:
    way: Any = connection.loops.here()
    return way._stream


# Cancelled tasks


def test_a_storm_of_cancelled_tasks_leaves_the_others_their_own_replies(valkey: Valkey, keys: list[str]) -> None:
    connection, chance = connection_to(valkey.url), random.Random(1)

    async def main() -> None:
        async def ask(key: str) -> list[bytes | None]:
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            return await connection.get([key])

        for _ in range(200):
            asked = chance.choices(keys, k=5)
            tasks = [asyncio.create_task(ask(key)) for key in asked]
            cancelled = chance.sample(range(5), chance.randrange(5))
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
            for number in cancelled:
                tasks[number].cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            for number, (key, reply) in enumerate(zip(asked, found, strict=True)):
                was_late = number in cancelled and isinstance(reply, asyncio.CancelledError)
                assert was_late or reply == [key.encode()]
        assert clients_of(valkey) >= 1

    run(connection, main())
    assert connection.breaker.errors == 0


def test_what_is_cancelled_before_it_is_sent_is_not_sent(own_valkey: Valkey) -> None:
    connection = connection_to(own_valkey.url)

    async def main() -> None:
        await connection.run([("EVAL", COUNT, 1, "another")])  # the server knows the script
        task = asyncio.create_task(connection.run([("EVAL", COUNT, 1, "a")]))
        await asyncio.sleep(0)  # it has given its command
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await connection.get(["a"]) == [None]

    run(connection, main())


def test_a_connection_is_no_part_of_the_call_that_opened_it(valkey: Valkey) -> None:
    variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable")

    class Big: ...

    connection = connection_to(valkey.url)

    async def main() -> None:
        async def ask() -> weakref.ref[Big]:
            value = Big()
            variable.set(value)
            await connection.get(["a"])
            return weakref.ref(value)

        known = await asyncio.create_task(ask())
        await asyncio.sleep(0)  # the loop itself knows the task until its next turn
        gc.collect()
        assert known() is None

    run(connection, main())


# Budgets


def test_p7_a_server_that_stalls_costs_all_tasks_one_budget(own_valkey: Valkey) -> None:
    connection, broken = connection_to(own_valkey.url, BUDGET), []
    connection.on_broken = lambda: broken.append(True)

    async def main() -> None:
        await connection.get(["a"])
        own_valkey.pause()
        for failures in range(1, 4):
            assert len(broken) == 0, "a late reply is no break, until it is clear that the server does not answer"
            began = time.monotonic()
            asks = [connection.run([("EVAL", COUNT, 1, "a")]) for _ in range(50)]
            found = await asyncio.gather(*asks, return_exceptions=True)
            assert time.monotonic() - began < BUDGET + SLACK
            assert all(isinstance(each, Unavailable) and each.cause is not None for each in found)
            assert connection.breaker._failures == failures, "one connection, one failure"
        assert connection.breaker.is_open
        assert len(broken) == 1
        own_valkey.resume()
        assert await connection.run([("EVAL", COUNT, 1, "b")], is_urgent=True) == [1]
        assert await connection.get(["b"]) == [b"1"]

    run(connection, main())
    assert connection.breaker.errors == 150


def test_p7_a_reply_that_does_not_come_keeps_no_later_one_back(valkey: Valkey, namespace: str) -> None:
    connection = connection_to(valkey.url, BUDGET)

    async def main() -> None:
        await connection.get(["a"])
        first = asyncio.create_task(connection.run([("BLPOP", namespace, 60)]))
        await asyncio.sleep(BUDGET * 0.8)
        began = time.monotonic()
        assert await connection.get([namespace]) == [None], "it is asked again, over another connection"
        assert time.monotonic() - began < SLACK
        with pytest.raises(Unavailable):
            await first

    run(connection, main())


def test_a_loop_that_is_busy_for_longer_than_the_budget_takes_no_server_for_silent(
    valkey: Valkey, keys: list[str]
) -> None:
    connection = connection_to(valkey.url, BUDGET)

    async def main() -> None:
        await connection.get(keys[:1])
        asked = [asyncio.create_task(connection.get([key])) for key in keys]
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # all is sent
        time.sleep(2 * BUDGET)
        assert await asyncio.gather(*asked) == [[key.encode()] for key in keys]

        async def slow(key: str) -> list[bytes | None]:
            time.sleep(2 * BUDGET / len(keys))  # what tasks do between two commands
            return await connection.get([key])

        assert await asyncio.gather(*[slow(key) for key in keys]) == [[key.encode()] for key in keys]

    run(connection, main())
    assert connection.breaker.errors == 0


def test_p7_who_waits_for_a_connection_waits_no_longer_than_the_budget_and_the_next_one_finds_it_open() -> None:
    greeted: list[socket.socket] = []

    def serve(listener: socket.socket) -> None:
        server, _ = listener.accept()
        greeted.append(server)
        data = b""
        while b"HELLO" not in data:
            data += server.recv(1000)
        time.sleep(3 * BUDGET)  # longer than a budget
        server.sendall(b"%1\r\n$5\r\nproto\r\n:3\r\n" + b"+OK\r\n" * 2)
        while b"MGET" not in data:
            data += server.recv(1000)
        server.sendall(b"*1\r\n$1\r\nx\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener], daemon=True)
        thread.start()
        connection = connection_to(f"redis://127.0.0.1:{listener.getsockname()[1]}/0", BUDGET)

        async def main() -> None:
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await connection.get(["a"])
            assert time.monotonic() - began < BUDGET + SLACK
            await asyncio.sleep(2.5 * BUDGET)
            assert await connection.get(["a"]) == [b"x"]

        run(connection, main())
        thread.join()
        for each in greeted:
            each.close()


# Breaks


@pytest.mark.parametrize("how", ["cut", "reset"])
def test_a_break_fails_the_scripts_under_way_once_and_reads_are_asked_again(own_valkey: Valkey, how: str) -> None:
    with bad_line(own_valkey.host, own_valkey.port) as proxy:
        connection, broken = connection_to(f"redis://{proxy.host}:{proxy.port}/0", BUDGET), []
        connection.on_broken = lambda: broken.append(True)

        async def main() -> None:
            await connection.run([("EVAL", COUNT, 1, "a")])
            scripts = [asyncio.create_task(connection.run([("EVAL", COUNT, 1, "a")])) for _ in range(20)]
            reads = [asyncio.create_task(connection.get(["b"])) for _ in range(20)]
            if how == "cut":
                proxy.mode, proxy.cuts = "cut", 1
            else:
                await asyncio.sleep(0)
                own = stream_of(connection)._connection._writer.get_extra_info("socket")
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                own.shutdown(socket.SHUT_RDWR)
            found = await asyncio.gather(*scripts, return_exceptions=True)
            assert await asyncio.gather(*reads) == [[None]] * 20
            ran = counted(own_valkey, "a")
            if how == "cut":
                assert all(isinstance(each, Unavailable) for each in found)
                assert ran == 21, "each ran once"
            assert 1 <= ran <= 21
            assert (len(broken), connection.breaker._failures) == (1, 0), "one break, and reads were answered since"
            assert await connection.run([("EVAL", COUNT, 1, "a")]) == [ran + 1]

        run(connection, main())


def test_a_connection_that_the_server_closed_while_it_was_idle_is_replaced_before_something_is_sent(
    own_valkey: Valkey,
) -> None:
    connection, broken = connection_to(own_valkey.url), []
    connection.on_broken = lambda: broken.append(True)

    async def main() -> None:
        with own_valkey.client() as admin:
            for ran in range(1, 4):
                assert await connection.run([("EVAL", COUNT, 1, "a")]) == [ran]
                admin.client_kill_filter(skipme=True, _type="normal")
                time.sleep(0.02)
        assert await connection.run([("EVAL", COUNT, 1, "a")]) == [4]

    run(connection, main())
    assert (len(broken), connection.breaker.errors) == (3, 0)


def test_a_server_that_is_killed_and_comes_back(own_valkey: Valkey) -> None:
    connection = connection_to(own_valkey.url, BUDGET)

    async def main() -> None:
        await connection.get(["a"])
        own_valkey.kill()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await connection.run([("EVAL", COUNT, 1, "a")])
        own_valkey.restart()
        found = await asyncio.gather(*[connection.get(["a"]) for _ in range(20)])
        assert found == [[None]] * 20
        assert clients_of(own_valkey) == 1

    run(connection, main())


def test_a_server_that_says_what_nobody_asked_for_is_not_listened_to() -> None:
    """Every later reply would be that of another command."""

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            server, _ = listener.accept()
            with server:
                answer(server, b"HELLO", b"%1\r\n$5\r\nproto\r\n:3\r\n" + b"+OK\r\n" * 2)
                answer(server, b"MGET", b"*1\r\n$1\r\nx\r\n" + b"*1\r\n$1\r\ny\r\n")
                answer(server, b"MGET", b"*1\r\n$1\r\nz\r\n")

    def answer(server: socket.socket, command: bytes, reply: bytes) -> None:
        data = b""
        while command not in data:
            data += server.recv(1000)
            if not data:
                return
        server.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener], daemon=True)
        thread.start()
        connection = connection_to(f"redis://127.0.0.1:{listener.getsockname()[1]}/0", BUDGET)

        async def main() -> None:
            assert await connection.get(["a"]) == [b"x"]
            await asyncio.sleep(0.05)
            assert await connection.get(["a"]) == [b"x"]

        run(connection, main())
        thread.join()


def test_a_server_that_is_no_primary_any_more_is_left_for_the_one_that_sentinels_name() -> None:
    server = Server(Clock())
    asked: list[bool] = []

    class Named(Sentinels):
        def __init__(self) -> None: ...

        async def primary(self) -> dict[str, Any]:
            asked.append(True)
            return {}

    endpoint = replace(server_of(AsyncClient(server)), sentinels=Named())
    connection = AsyncConnection(endpoint, Breaker(Clock()))

    async def main() -> None:
        await connection.get(["a"])
        await connection.get(["a"])
        assert len(asked) == 1
        server.failing = lambda command: redis.exceptions.ReadOnlyError("You can't write against a read only replica.")
        with pytest.raises(Unavailable) as raised:
            await connection.run([("SET", "a", b"1", "PX", 1000)])
        assert raised.value.is_of_writes
        server.failing = lambda command: None
        await connection.get(["a"])
        assert len(asked) == 2

    run(connection, main())


def test_after_a_doubt_the_next_command_goes_over_another_connection(own_valkey: Valkey) -> None:
    connection = connection_to(own_valkey.url)

    async def main() -> None:
        await connection.get(["a"])
        before = stream_of(connection)
        pending = asyncio.create_task(connection.run([("EVAL", COUNT, 1, "a")]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        connection.loops.doubt()
        assert await connection.get(["b"]) == [None]
        assert await pending == [1], "what was sent is answered"
        assert stream_of(connection) is not before
        await asyncio.sleep(0.02)
        assert clients_of(own_valkey) == 1

    run(connection, main())
    assert connection.breaker.errors == 0


async def answered(ask: Callable[[], Coroutine[Any, Any, Any]], expected: Any) -> None:
    """One of several tries has the right answer, and none a wrong one."""
    deadline = time.monotonic() + 20
    while True:
        try:
            assert await ask() == expected
            return
        except Unavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


def test_a_fail_over_of_a_sentinels(sentinel_group: SentinelGroup) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        addresses = [deaf.getsockname(), ("127.0.0.1", sentinel_group.watcher.port)]
        sentinel = redis.sentinel.Sentinel(addresses, socket_timeout=5.0)
        client = sentinel.master_for(sentinel_group.name)
        connection = AsyncConnection(endpoint_of(client_of(client, 5.0)), Breaker(Clock()), 1.0)
        connection.breaker.failed = lambda: False  # type: ignore[method-assign] # each call is to be sent

        async def main() -> None:
            with pytest.raises(Unavailable):
                await connection.get(["a"])
            await answered(lambda: connection.run([("SET", "a", b"1", "PX", 60_000)]), [True])  # by way of the other
            with sentinel_group.primary().client() as admin:
                assert admin.execute_command("WAIT", 1, 5000) == 1
            await asyncio.to_thread(sentinel_group.fail_over)
            await answered(lambda: connection.get(["a"]), [b"1"])
            await answered(lambda: connection.run([("EVAL", COUNT, 1, "a")]), [2])

        run(connection, main())


# Event loops


def test_loops_at_a_time_and_one_after_the_other(own_valkey: Valkey) -> None:
    connection = connection_to(own_valkey.url)
    together = threading.Barrier(3)

    async def main(number: int) -> None:
        for value in range(20):
            assert await connection.run([("SET", f"k{number}", b"%d" % value)]) == [True]
            assert await connection.get([f"k{number}"]) == [b"%d" % value]
        await asyncio.to_thread(together.wait, 10)

    for _ in range(2):
        threads = [threading.Thread(target=lambda n=n: asyncio.run(main(n))) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert clients_of(own_valkey) == 0, "each loop took its connection along"
    assert connection.breaker.errors == 0


def close_bare(loop: asyncio.AbstractEventLoop) -> None:
    loop.close()


def close_with_its_tasks(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("close", [close_bare, close_with_its_tasks])
def test_a_loop_that_is_closed_leaves_no_connection_and_no_noise(
    own_valkey: Valkey, close: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Also with commands under way."""
    connection = connection_to(own_valkey.url)
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(connection.get(["a"]))
        pending = loop.create_task(connection.get(["a"]))
        loop.run_until_complete(asyncio.sleep(0))
        pending._log_destroy_pending = False  # type: ignore[attr-defined] # the application's own
        close(loop)
        del loop, pending
        gc.collect()
    assert run(connection, connection.get(["a"])) == [None]
    gc.collect()
    assert clients_of(own_valkey) == 0
    assert not caplog.records


PROGRAM = """
import asyncio, sys, time
from daxlite.shared.connections import connections_of

connection = connections_of(sys.argv[1], 5.0, time.monotonic, is_budget=True).asyncio
asyncio.run(connection.get(["a"]))
loops = [asyncio.new_event_loop() for _ in range(2)]
for loop in loops:
    loop.run_until_complete(connection.get(["a"]))
loops[0].close()
"""


def test_a_program_that_ends_without_closing_anything_says_nothing(valkey: Valkey) -> None:
    command = [sys.executable, "-W", "always", "-c", PROGRAM, valkey.url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr.splitlines()
    assert [line for line in said if "unclosed event loop" not in line and "_warn(" not in line] == []


def test_all_is_closed_with_the_last_reference(own_valkey: Valkey) -> None:
    """Though the loop goes on."""

    async def main() -> None:
        connection = connection_to(own_valkey.url)
        await connection.get(["a"])
        assert clients_of(own_valkey) == 1
        del connection
        gc.collect()
        await asyncio.sleep(0.02)
        assert clients_of(own_valkey) == 0

    asyncio.run(main())


@pytest.mark.parametrize("is_closed_by_a_thread", [True, False])
def test_what_is_closed_is_closed_in_each_loop(own_valkey: Valkey, is_closed_by_a_thread: bool) -> None:
    connection = connection_to(own_valkey.url)
    opened, closed = threading.Barrier(3), threading.Barrier(3)

    async def main() -> None:
        await connection.get(["a"])
        await asyncio.to_thread(opened.wait, 10)
        await asyncio.to_thread(closed.wait, 10)
        await asyncio.sleep(0.02)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
    for thread in threads:
        thread.start()
    opened.wait(10)
    assert clients_of(own_valkey) == 2
    if is_closed_by_a_thread:
        connection.loops.close()
    else:
        run(connection, connection.get(["a"]))
    deadline = time.monotonic() + 5
    while clients_of(own_valkey):
        assert time.monotonic() < deadline
    closed.wait(10)
    for thread in threads:
        thread.join()
    assert connection.breaker.errors == 0


def test_commands_that_wait_while_all_is_closed_are_lost_and_no_failure_of_the_server(own_valkey: Valkey) -> None:
    connection = connection_to(own_valkey.url)

    async def main() -> None:
        await connection.get(["a"])
        own_valkey.pause()
        asked = [asyncio.create_task(connection.get(["a"])) for _ in range(3)]
        await asyncio.sleep(0.01)
        await connection.loops.async_close()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each) for each in found] == [Unavailable] * 3
        own_valkey.resume()
        assert await connection.get(["a"]) == [None]

    run(connection, main())
    assert connection.breaker.errors == 0


@pytest.mark.parametrize("end", ["close", "retire"])
def test_a_connection_that_is_closed_in_the_turn_in_which_it_is_used_is_not_left_open(
    own_valkey: Valkey, end: str
) -> None:
    connection = connection_to(own_valkey.url)

    async def main() -> None:
        way: Any = connection.loops.here()
        for _ in range(2):  # over a connection that is to be made, and over one that is there
            asked = asyncio.create_task(connection.get(["a"]))
            await asyncio.sleep(0)  # it has given its command
            getattr(way, end)()
            found = await asyncio.gather(asked, return_exceptions=True)
            assert isinstance(found[0], Unavailable) or (end == "retire" and found[0] == [None])
            await asyncio.sleep(0.05)
            assert clients_of(own_valkey) == 0
            await connection.get(["a"])

    run(connection, main())
    assert connection.breaker.errors == 0


def test_to_ask_for_nothing_takes_no_reply(valkey: Valkey) -> None:
    connection = connection_to(valkey.url, BUDGET)

    async def main() -> None:
        found = await asyncio.gather(connection.run([]), connection.get(["none"]))
        assert found == [[], [None]]

    run(connection, main())


def test_a_process_that_forked_has_connections_of_its_own(own_valkey: Valkey) -> None:
    connection = connection_to(own_valkey.url)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(connection.run([("SET", "a", b"1")]))

    def child() -> None:
        (parents,) = connection.loops._ways.values()
        connection.loops.begin()
        assert not connection.loops._ways
        assert parents in connection.loops._parents[0].values(), "they are kept, for nothing is to close them"
        assert run(connection, connection.get(["a"])) == [b"1"]

    in_child(child)
    assert loop.run_until_complete(connection.get(["a"])) == [b"1"]
    assert clients_of(own_valkey) == 1
    loop.run_until_complete(connection.loops.async_close())
    loop.close()


def test_a_budget_begins_with_the_first_command_and_is_for_all() -> None:
    budget = Budget(2.0)
    assert [budget.begin(now) for now in (10.0, 11.0)] == [12.0, 12.0]
    assert Budget(None).begin(10.0) == float("inf")
