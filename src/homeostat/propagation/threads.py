"""Threads and thread pools that carry the context of whoever starts or submits; it knows no other kind of hand-over.

Invariant: a pool's own threads start without any context, so that no submission's context outlives it, and what is
patched can be taken back, once, whatever was patched on top of it in between.

Tasks of asyncio, `asyncio.to_thread` and Starlette's background tasks need nothing: they copy context variables.
"""

import functools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from opentelemetry.context import Context, attach, get_current

from homeostat.propagation.carrying import run_in
from homeostat.propagation.scopes import current_context

_OWN: Final = "homeostat"
"""How the names of the SDK's threads begin: they are started by the first request, and serve all."""
_NOTHING: Final = Context()


def carry_into_threads() -> None:
    """Let threads, timers and thread pools run their work in the context of whoever started or submitted it.

    A second call does nothing.
    """
    _THREADS.start()


def stop_carrying_into_threads() -> None:
    """Take back what `carry_into_threads` did; what somebody else put on top of it stays and finds it inactive."""
    _THREADS.stop()


class _Carrying:
    """The two methods that are replaced, and whether they carry."""

    def __init__(self) -> None:
        self._is_active = False
        self._replaced: dict[tuple[type, str], tuple[Callable[..., Any], Callable[..., Any]]] = {}

    def start(self) -> None:
        self._is_active = True
        self._replace(threading.Thread, "start", _start)
        self._replace(ThreadPoolExecutor, "submit", _submit)

    def stop(self) -> None:
        self._is_active = False
        for (owner, name), (original, call) in tuple(self._replaced.items()):
            if vars(owner)[name] is call:
                setattr(owner, name, original)
                del self._replaced[owner, name]

    def _replace(self, owner: type, name: str, replacement: Callable[..., Any]) -> None:
        if (owner, name) in self._replaced:
            return
        original = vars(owner)[name]

        @functools.wraps(original)
        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - those of the original
            return replacement(original, *arguments, **named) if self._is_active else original(*arguments, **named)

        self._replaced[owner, name] = (original, call)
        setattr(owner, name, call)


_THREADS: Final = _Carrying()
"""There is one class of threads in a process, and one that replaces its methods."""


def _start(original: Callable[..., None], thread: threading.Thread) -> None:
    context = current_context()
    # From 3.14 on a thread may inherit context variables by itself.
    if context and not getattr(sys.flags, "thread_inherit_context", False):
        # One that was not initialised, or takes no attributes: starting it says what is wrong with it, if anything.
        with suppress(AssertionError, AttributeError):
            _carry(thread, context)
    original(thread)


def _carry(thread: threading.Thread, context: Context) -> None:
    if thread.name.startswith(_OWN):
        return
    run = thread.run

    def carrying() -> None:
        # The attribute would keep the thread alive in a cycle, and a second start has to fail as it always did.
        del thread.run
        run_in(context, run)

    thread.run = carrying  # type: ignore[method-assign]


def _submit(
    original: Callable[..., Future[Any]],
    pool: ThreadPoolExecutor,
    function: Callable[..., Any],
    /,
    *arguments: Any,  # noqa: ANN401 - those of the function
    **named: Any,  # noqa: ANN401 - the same
) -> Future[Any]:
    context = current_context()
    if not context:
        return original(pool, function, *arguments, **named)
    previous = get_current()
    # The pool may start a thread now, which must not keep this context for its whole life.
    attach(_NOTHING)
    try:
        return original(pool, run_in, context, function, *arguments, **named)
    finally:
        attach(previous)
