"""`python -m tests.without_posix REDIS_URL NAMESPACE`: daxlite where Python has nothing that Windows lacks.

The packages that daxlite needs are imported before, since they are made for each system by themselves. Then everything
goes that Windows' Python has not; each module of daxlite is imported, and an item is read, written and answered from a
cache, by a client, by one of asyncio where there is one, by an aggregation, and from a tier. Prints "ok".
"""

import asyncio
import importlib
import importlib.util
import os
import pkgutil
import select
import signal
import socket
import sys
import time
from types import ModuleType
from typing import Any, Final

import boto3

from tools.matrix import smoke

NOT_ON_WINDOWS: Final[dict[ModuleType, str]] = {
    os: (
        "fork forkpty register_at_fork posix_spawn posix_spawnp wait wait3 wait4 waitid killpg getpgid getpgrp setpgid "
        "getsid setsid getuid geteuid getgid getegid getgroups setuid setgid getresuid uname mkfifo mknod nice "
        "getpriority chown fchown lchown chroot fchmod fchdir statvfs fstatvfs sysconf confstr pathconf ctermid "
        "sched_getaffinity sched_setaffinity sched_yield pread pwrite preadv pwritev readv writev sendfile pipe2 "
        "openpty ttyname getloadavg sync fdatasync fsencodeb environb getenvb O_CLOEXEC O_NONBLOCK O_DIRECTORY "
        "memfd_create eventfd pidfd_open posix_fadvise posix_fallocate lockf"
    ),
    signal: (
        "SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGCHLD SIGALRM SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGCONT SIGWINCH SIGTTIN "
        "SIGTTOU SIGURG SIGPROF SIGVTALRM setitimer getitimer alarm pause sigwait sigwaitinfo sigtimedwait sigpending "
        "pthread_kill pthread_sigmask siginterrupt"
    ),
    select: "poll epoll kqueue",
    socket: "AF_UNIX AF_NETLINK SO_REUSEPORT MSG_DONTWAIT MSG_NOSIGNAL sethostname SCM_RIGHTS send_fds recv_fds",
    time: "clock_gettime clock_gettime_ns clock_settime pthread_getcpuclockid tzset CLOCK_MONOTONIC CLOCK_BOOTTIME",
}
NO_MODULES: Final = ("fcntl", "grp", "pwd", "posix", "pty", "readline", "resource", "syslog", "termios", "tty")
NEEDED: Final = (
    "aiobotocore.session",
    "cryptography.fernet",
    "pynamodb.models",
    "redis.asyncio",
    "rich",
    "typer",
    "wrapt",
)
OF_THE_DEMO: Final = "daxlite.demo"


def become_windows() -> None:
    """Take from Python what Windows lacks."""
    for module, names in NOT_ON_WINDOWS.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    sys.modules.update(dict.fromkeys(NO_MODULES))  # type: ignore[arg-type]  # None: it cannot be imported


def import_everything() -> int:
    """Import each module of daxlite. Returns their number."""
    import daxlite

    found = 0
    for module in pkgutil.walk_packages(daxlite.__path__, "daxlite."):
        # sitecustomize and __main__ do something when they are imported.
        if not module.name.startswith(OF_THE_DEMO) and module.name.rpartition(".")[2] not in (
            "__main__",
            "sitecustomize",
        ):
            importlib.import_module(module.name)
            found += 1
    return found


def use(server: smoke.Server, redis: str, namespace: str) -> None:
    """Read, hit, write and read again, with a tier; then an aggregation."""
    import daxlite
    from daxlite.aggregations import AggregationCache

    cache = daxlite.Cache(shared=daxlite.Shared(redis, namespace, budget=5.0))
    client: Any = daxlite.wrap(boto3.client("dynamodb", **server.connection), cache)
    for _ in range(2):
        assert client.get_item(TableName=smoke.TABLE, Key=KEY)["Item"] == smoke.ITEM
    assert server.asked["GetItem"] == 1
    client.put_item(TableName=smoke.TABLE, Item={**smoke.ITEM, "value": {"S": "shipped"}})
    assert client.get_item(TableName=smoke.TABLE, Key=KEY)["Item"]["value"] == {"S": "shipped"}
    assert cache.stats().faults == 0
    aggregations = AggregationCache(redis, namespace)
    assert [aggregations.get_or_compute("key", lambda: 5) for _ in range(2)] == [5, 5]
    aggregations.close()
    cache.close()


async def use_in_a_loop(redis: str, namespace: str) -> None:
    """The aggregation, for asyncio."""
    from daxlite.aggregations import AsyncAggregationCache

    async def compute() -> int:
        return 6

    aggregations = AsyncAggregationCache(redis, namespace)
    for key in ("other key", "third key", "other key"):
        assert await aggregations.get_or_compute(key, compute) == 6
    assert aggregations.stats().redis_errors == 0
    await aggregations.close()


KEY: Final = {"id": smoke.ITEM["id"]}


def main(redis: str, namespace: str) -> None:
    needed = [name for name in NEEDED if importlib.util.find_spec(name.partition(".")[0])]
    for name in needed:
        importlib.import_module(name)
    smoke.REPLIES["PutItem"] = {}
    loop = asyncio.new_event_loop()  # Python's own, made for this system
    become_windows()
    found = import_everything()
    assert found > 200, found
    use(smoke.Server(), redis, namespace)
    loop.run_until_complete(use_in_a_loop(redis, namespace))
    if "aiobotocore.session" in needed:
        asyncio.run = loop.run_until_complete  # type: ignore[assignment]
        assert smoke.main("aiobotocore") == 0
    loop.close()
    sys.stdout.write("ok\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
