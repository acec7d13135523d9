"""Work that runs later or elsewhere, in the context of whoever asked for it; it starts nothing itself.

Invariant: what ran leaves no trace in the thread or task that ran it, so a long-lived worker keeps no item's context.
"""

import functools
from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast

from opentelemetry.context import Context, attach, get_current
from opentelemetry.propagate import extract, inject

from homeostat.propagation.scopes import current_context

P = ParamSpec("P")
R = TypeVar("R")


def carried(function: Callable[P, R], /, *, context: Context | None = None) -> Callable[P, R]:
    """Return a function that runs in the context that is current now, or in the given one, wherever it is called.

    For work handed to a thread, a queue between threads, a scheduler or a process pool. The result can be pickled where
    the function can: what travels to another process is what would leave in a message. A coroutine function gives a
    coroutine function. Each call has the context to itself and leaves the caller's as it was.

    Example:
        >>> work = carried(print)  # jobs.put(carried(send_mail))
        >>> work("in the context of the request")
        in the context of the request
    """
    kept = current_context() if context is None else context
    if iscoroutinefunction(function):
        return cast("Callable[P, R]", _carried_coroutine(function, kept))
    return _Carried(function, kept)


class _Carried:
    """A function with its context. A class, so that it can be pickled."""

    def __init__(self, function: Callable[..., Any], context: Context) -> None:
        self._function = function
        self._context = context
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - those of the function
        return run_in(self._context, self._function, *arguments, **named)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        carrier: dict[str, str] = {}
        inject(carrier, self._context)
        return _unpickled, (self._function, carrier)


def _unpickled(function: Callable[..., Any], carrier: dict[str, str]) -> _Carried:
    return _Carried(function, extract(carrier, Context()))


def _carried_coroutine(
    function: Callable[..., Coroutine[Any, Any, R]], context: Context
) -> Callable[..., Coroutine[Any, Any, R]]:
    @functools.wraps(function)
    async def run(*arguments: Any, **named: Any) -> R:  # noqa: ANN401 - those of the function
        previous = get_current()
        attach(context)
        try:
            return await function(*arguments, **named)
        finally:
            attach(previous)

    return run


def run_in(context: Context, function: Callable[..., R], /, *arguments: Any, **named: Any) -> R:  # noqa: ANN401 - those of the function
    """Call a function in a context and return to the caller's, whatever the function left attached."""
    previous = get_current()
    attach(context)
    try:
        return function(*arguments, **named)
    finally:
        attach(previous)
