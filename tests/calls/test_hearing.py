"""Which listeners hear what is read in a place."""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextvars import Context
from typing import Any

import pytest

from daxlite.calls.hearing import async_hear, hear, hear_no_more, hear_task, hearing, listeners_here, read_listeners
from tests.interrupting import interrupted


def test_what_two_may_hear_is_heard_by_one_when_the_other_is_over() -> None:
    over, open_ = object(), object()
    listeners: Any = (over, open_)

    def read() -> Any:
        hear_no_more(listeners[0])
        return Context().run(listeners_here)

    assert open_ in hear(listeners, read)
    assert not hearing


class Nothing:
    """A computation that reads nothing. It is no coroutine, so it may be left."""

    def __await__(self) -> Iterator[Any]:
        return iter(())


def to_its_end(coroutine: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(StopIteration):
        coroutine.send(None)


LISTENERS: Any = ("a listener",)
HEAR: dict[str, tuple[Callable[..., Any], Callable[[], Any]]] = {
    "hear": (hear, lambda: hear(LISTENERS, bool)),
    "async_hear": (async_hear, lambda: to_its_end(async_hear(LISTENERS, Nothing))),
    "hear_task": (hear_task, lambda: hear_task(LISTENERS, type("Task", (), {}))),
}


@pytest.mark.parametrize("is_within", [False, True], ids=["alone", "within another"])
@pytest.mark.parametrize("name", HEAR)
def test_an_interruption_at_any_moment_leaves_no_listener_behind(name: str, is_within: bool) -> None:
    function, do = HEAR[name]
    number = 0

    def interrupt() -> bool:
        """Whether it was interrupted, and all is as before."""
        before = read_listeners.get(), dict(hearing)
        error = interrupted(do, lambda frame: frame.f_code is function.__code__, number)
        assert (read_listeners.get(), hearing) == before, f"moment {number}"
        return error is not None

    outer: Any = ("another",)
    while hear(outer, interrupt) if is_within else interrupt():
        number += 1
    assert number > 3, "nothing was interrupted"
    assert not hearing


class SlottedTask:
    """What an application's task factory may return: nothing can be noted of it."""

    __slots__ = ("_future",)

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._future = asyncio.Task(coroutine, loop=loop)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._future.__await__()


def test_a_task_of_which_nothing_can_be_noted_is_as_any() -> None:
    async def answer() -> int:
        return 1

    async def main() -> int:
        listeners: Any = (object(),)
        made: Any = hear_task(listeners, SlottedTask, asyncio.get_running_loop(), answer())
        answered: int = await made
        return answered

    assert asyncio.run(main()) == 1
    assert not hearing
