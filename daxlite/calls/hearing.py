"""Which listeners hear what the caller reads: those of the computation that it belongs to.

A context variable tells, which tasks and `asyncio.to_thread` inherit. Where a context was left, or is an empty one of
its own, the place tells in which the caller runs: the task, the greenlet or the thread.

    computation   |-- hear: context and place -- Context().run(read): by the place ------|
    its task              |-- read: by the context ----|
    its task with another context |-- read: by the task, which was noted as it was made --|
    its greenlet          |-- read: by the greenlet that spawned it ---------------------|
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from inspect import isawaitable
from itertools import chain
from threading import get_ident
from typing import Any, Final, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from ..core.checks import kind_of
from ..place import greenlet_here, place, task_here
from .listeners import ReadListener

T = TypeVar("T")
Listeners: TypeAlias = tuple[ReadListener, ...]

NOBODY: Final[Listeners] = ()

read_listeners: Final[ContextVar[Listeners | None]] = ContextVar("daxlite_read_listeners", default=None)
"""The listeners to the reads of this context; None where it does not tell, and the place does."""

hearing: Final[dict[object, Listeners]] = {}
"""The tasks, greenlets and threads that are inside of a computation, with the listeners of the innermost one. While it
is empty no read is heard, so that a hit outside of computations looks no further."""

_started: Final[WeakKeyDictionary[object, Listeners]] = WeakKeyDictionary()
"""Tasks that computations started, with a context that does not tell."""


def hear(listeners: Listeners, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function, and let these listeners hear what is read in it."""
    here = place()
    outer, before = read_listeners.get(), hearing.get(here)
    # A signal handler runs, and may raise, after any call: so the context is set within, and set back by the last one.
    try:
        read_listeners.set(listeners)
        hearing[here] = listeners
        return call(*args, **kwargs)
    finally:
        if before is not None:
            hearing[here] = before
        elif here in hearing:  # unless the computation was over before
            del hearing[here]
        read_listeners.set(outer)


async def async_hear(listeners: Listeners, call: Callable[..., Awaitable[T]]) -> T:
    """The same for a coroutine function. Raises TypeError for another one."""
    here, token = place(), None
    outer, before = read_listeners.get(), hearing.get(here)
    try:
        token = read_listeners.set(listeners)
        hearing[here] = listeners
        made = call()
        if not isawaitable(made):
            raise TypeError(f"compute returned {kind_of(made)}; it must be a coroutine function")
        return await made
    finally:
        if before is not None:
            hearing[here] = before
        elif here in hearing:
            del hearing[here]
        if token is None:
            read_listeners.set(outer)
        else:  # raises in another context, in which a coroutine that was left is collected
            read_listeners.reset(token)


def hear_task(listeners: Listeners, create: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Have a task created whose context does not tell, and let these listeners hear what it reads."""
    thread = get_ident()
    before = hearing.get(thread)
    try:  # an eager task runs at once, and is known only afterwards
        hearing[thread] = listeners
        task = create(*args, **kwargs)
    finally:
        if before is None:
            hearing.pop(thread, None)
        else:
            hearing[thread] = before
    with suppress(TypeError):  # what the application's task factory made cannot be noted
        _started[task] = listeners
    return task


def hear_no_more(listener: ReadListener) -> None:
    """The computation is over; threads that it started, and that live on, are not inside of it any more."""
    for where, listeners in list(hearing.items()):
        if listeners == (listener,):  # beside another, it stays until that place is left: the other still hears
            hearing.pop(where, None)


def listeners_here() -> Listeners:
    """The listeners to what the caller reads; none outside of computations."""
    found = read_listeners.get()
    if found is None:
        found = _of_this_place() if hearing else NOBODY
    return found


def _of_this_place() -> Listeners:
    task = task_here()
    if task is not None and (found := hearing.get(task) or _started.get(task)):
        return found
    greenlet = current = greenlet_here()
    is_certain = True
    while greenlet is not None:
        if greenlet in hearing:
            return hearing[greenlet]
        spawner = getattr(greenlet, "spawning_greenlet", None)  # a weak reference, as gevent notes it
        parent = greenlet.parent if spawner is None else spawner()
        is_certain = is_certain and (parent is not None if spawner is not None else parent is None)
        greenlet = parent
    found = hearing.get(get_ident(), NOBODY)
    if is_certain:
        return found
    # Greenlets are not their parents' children: a hub is the parent of all. It may belong to any computation of its
    # thread, so all of their results depend on what it reads, rather than none.
    beside = [listeners for where, listeners in list(hearing.items()) if _is_beside(where, current)]
    return (*found, *chain.from_iterable(beside))


def _is_beside(where: Any, greenlet: Any) -> bool:
    """Whether a place is a greenlet of the same thread."""
    return hasattr(where, "parent") and _root(where) is _root(greenlet)


def _root(greenlet: Any) -> Any:
    while greenlet.parent is not None:
        greenlet = greenlet.parent
    return greenlet


def _begin_in_child() -> None:
    """The computations of the parent's other threads do not exist here."""
    heard = listeners_here()
    hearing.clear()
    if heard:
        hearing[place()] = heard


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
