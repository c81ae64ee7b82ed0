"""Threads that a computation starts belong to it: what they read is captured too.

Tasks of asyncio and `asyncio.to_thread` inherit the context in which they are started, threads and pools do not. So the
functions that start them are wrapped, once for the whole process, when the first aggregation cache that captures
threads is made. Outside of a computation nothing changes, and within one only the read listener is passed on.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import wrapt

from ...calls.listeners import read_listener
from .capture import Capture, open_capture

_is_installed = False
_installing = threading.Lock()


def capture_in_threads() -> None:
    """Wrap `threading.Thread.start` and `ThreadPoolExecutor.submit`, once."""
    global _is_installed
    with _installing:
        if not _is_installed:
            wrapt.wrap_function_wrapper(threading.Thread, "start", _start)
            wrapt.wrap_function_wrapper(ThreadPoolExecutor, "submit", _submit)
            for way_in in ("apply_async", "_map_async", "imap", "imap_unordered"):
                wrapt.wrap_function_wrapper(ThreadPool, way_in, _pool)
            _is_installed = True


def _start(
    start: Callable[..., None], thread: threading.Thread, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    capture = open_capture()
    if capture is not None:
        # On the instance: a subclass's own run() is what it calls.
        thread.run = _captured(capture, thread.run)  # type: ignore[method-assign]
    start(*args, **kwargs)


def _submit(
    submit: Callable[..., Future[Any]],
    pool: ThreadPoolExecutor,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Future[Any]:
    capture = open_capture()
    if capture is None or not args:
        return submit(*args, **kwargs)
    function, *rest = args
    token = read_listener.set(None)  # a worker that the pool starts for this outlives the computation
    try:
        return submit(_captured(capture, function), *rest, **kwargs)
    finally:
        read_listener.reset(token)


def _pool(call: Callable[..., Any], pool: ThreadPool, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The same for multiprocessing's pool of threads."""
    capture = open_capture()
    if capture is None or not args:
        return call(*args, **kwargs)
    function, *rest = args
    return call(_captured(capture, function), *rest, **kwargs)


def _captured(capture: Capture, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        token = read_listener.set(capture)
        try:
            return function(*args, **kwargs)
        finally:
            read_listener.reset(token)

    return run
