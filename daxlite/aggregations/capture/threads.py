"""Threads that a computation starts belong to it: what they read is captured too.

Tasks of asyncio and `asyncio.to_thread` inherit the context in which they are started; threads, pools, and tasks with a
context of their own do not. So the functions that start them, or that have them call something, are wrapped, once for
the whole process, when the first aggregation cache that captures threads is made. Outside of a computation nothing
changes, and within one only the read listeners are passed on.
"""

import _thread
import asyncio
import asyncio.tasks
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from multiprocessing.pool import ThreadPool
from typing import Any, Final, TypeAlias

import wrapt

from ...calls.hearing import NOBODY, hear, hear_task, read_listeners
from .capture import Capture, open_captures

Captures: TypeAlias = tuple[Capture, ...]

_is_installed = False
_installing = threading.Lock()

_submitting: Final[ContextVar[Captures]] = ContextVar("daxlite_submitting", default=())
"""The computation that has a pool start a worker."""
_CAPTURES: Final = "_daxlite_captures"
"""The attribute of a worker's thread that holds the same, for its initializer."""


def capture_in_threads() -> None:
    """Wrap what starts threads and what has pools of them call something, once."""
    global _is_installed
    with _installing:
        if not _is_installed:
            wrapt.wrap_function_wrapper(threading.Thread, "start", _start)
            for name in ("start_new_thread", "start_new"):
                wrapt.wrap_function_wrapper(_thread, name, _pass_on)
            wrapt.wrap_function_wrapper(ThreadPoolExecutor, "__init__", _make_pool)
            wrapt.wrap_function_wrapper(ThreadPoolExecutor, "submit", _submit)
            wrapt.wrap_function_wrapper(Future, "add_done_callback", _pass_on)
            for way_in in ("apply_async", "_map_async"):
                wrapt.wrap_function_wrapper(ThreadPool, way_in, _pass_on)
            for way_in in ("imap", "imap_unordered"):
                wrapt.wrap_function_wrapper(ThreadPool, way_in, _iterate)
            # Each calls the next one, but the loop may be one of another package, such as uvloop.
            for owner in (asyncio.BaseEventLoop, asyncio.TaskGroup, asyncio.tasks, asyncio):
                wrapt.wrap_function_wrapper(owner, "create_task", _create_task)
            _is_installed = True


def _start(
    start: Callable[..., None], thread: threading.Thread, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    captures = open_captures()
    if captures:
        # On the instance: a subclass's own run() is what it calls.
        thread.run = _captured(captures, thread.run)  # type: ignore[method-assign]
    elif submitting := _submitting.get():
        setattr(thread, _CAPTURES, submitting)
    start(*args, **kwargs)


def _pass_on(call: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Call with functions that belong to the computation, whichever of the arguments they are."""
    captures = open_captures()
    if not captures:
        return call(*args, **kwargs)
    named = {name: _captured(captures, value) if name in _FUNCTIONS else value for name, value in kwargs.items()}
    positional = (_captured(captures, value) if at in _POSITIONS else value for at, value in enumerate(args))
    return call(*positional, **named)


_FUNCTIONS: Final = frozenset(("func", "fn", "callback", "error_callback"))
_POSITIONS: Final = frozenset((0, 3, 4, 5))
"""Of the functions in `apply_async` and `_map_async`; `_captured` leaves what is no function as it is."""


def _submit(
    submit: Callable[..., Future[Any]],
    pool: ThreadPoolExecutor,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Future[Any]:
    captures = open_captures()
    if not captures or not args:
        return submit(*args, **kwargs)
    function, *rest = args
    listeners, submitting = read_listeners.get(), _submitting.get()
    try:  # what a signal handler raises, after any call, leaves both variables as they were
        read_listeners.set(NOBODY)  # a worker that the pool starts for this outlives the computation
        _submitting.set(captures)
        return submit(_captured(captures, function), *rest, **kwargs)
    finally:
        try:
            _submitting.set(submitting)
        finally:
            read_listeners.set(listeners)


def _make_pool(make: Callable[..., None], pool: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Have the initializer of a pool's worker belong to the computation that has the worker started."""
    if len(args) > 2:
        args = (*args[:2], _initializer(args[2]), *args[3:])
    elif "initializer" in kwargs:
        kwargs = {**kwargs, "initializer": _initializer(kwargs["initializer"])}
    make(*args, **kwargs)


def _initializer(function: Any) -> Any:
    if not callable(function):
        return function  # it is none, or the pool raises

    def initialize(*args: Any) -> None:
        thread = threading.current_thread()
        captures = getattr(thread, _CAPTURES, None)
        if captures is None:
            function(*args)
            return
        delattr(thread, _CAPTURES)  # the worker outlives the computation
        _captured(captures, function)(*args)

    return initialize


def _iterate(call: Callable[..., Any], pool: ThreadPool, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The same for a pool that also takes what it works on in a thread of its own."""
    captures = open_captures()
    if not captures or len(args) < 2:
        return call(*args, **kwargs)
    function, values, *rest = args
    return call(_captured(captures, function), _captured_values(captures, values), *rest, **kwargs)


def _captured_values(captures: Captures, values: Iterable[Any]) -> Iterator[Any]:
    following = _captured(captures, iter(values).__next__)
    while True:
        try:
            value = following()
        except StopIteration:
            return
        yield value


def _captured(captures: Captures, function: Any) -> Any:
    if not callable(function):
        return function

    def run(*args: Any, **kwargs: Any) -> Any:
        return hear(captures, function, *args, **kwargs)

    return run


def _create_task(create: Callable[..., Any], owner: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Note who made a task, unless its context tells: one that was given, or a copy of one that does not."""
    if kwargs.get("context") is None and read_listeners.get() is not None:
        return create(*args, **kwargs)
    captures = open_captures()
    return hear_task(captures, create, *args, **kwargs) if captures else create(*args, **kwargs)
