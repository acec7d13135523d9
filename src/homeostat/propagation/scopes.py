"""Blocks that have a context of their own, closed in whatever order and wherever; they do not know what is in it.

Invariant: leaving a block never raises, never logs, and never disturbs a context that belongs to somebody else: a
generator may be closed by another task or thread than the one that ran it, or while its caller has entered something.
"""

from types import TracebackType
from typing import Final, Self

from opentelemetry.context import Context, attach, get_current

_LEFT_FOR: Final = "_homeostat_left_for"


class Attached:
    """Make a context current inside a `with` block.

    Each instance serves one block. Where the context is not current any more when the block ends, what is current
    stays, and whoever returns to the block's context later returns to the one below it instead.
    """

    __slots__ = ("_context", "_previous")

    def __init__(self, context: Context) -> None:
        """Prepare a block; the context must not be in use by another one (copy it with `Context(…)` if it may be)."""
        self._context = context
        self._previous: Context | None = None

    def __enter__(self) -> Self:
        """Make the context current."""
        self._previous = current_context()
        attach(self._context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Return to what was current before, and never swallow an exception."""
        self.leave()

    def leave(self) -> None:
        """Return to what was current before; a second call does nothing."""
        previous, self._previous = self._previous, None
        if previous is not None:
            leave(self._context, previous=previous)


def current_context() -> Context:
    """Return what is current, or what lies below it where its block was left from somewhere else."""
    context = get_current()
    return context if getattr(context, _LEFT_FOR, None) is None else _still_open(context)


def leave(entered: Context, *, previous: Context) -> None:
    """Return from a context that was entered to the one before it.

    No token is needed, so this works in another task or thread than the one that entered. `entered` must be an object
    that was entered once.
    """
    if get_current() is entered:
        attach(_still_open(previous))
    else:
        setattr(entered, _LEFT_FOR, previous)


def _still_open(context: Context) -> Context:
    below: Context | None = context
    while below is not None:
        context, below = below, getattr(below, _LEFT_FOR, None)
    return context


def detached() -> Attached:
    """Start from nothing inside a `with` block: no parent span, no values.

    For work that has nothing to do with what happens to be current, such as each item of a long-lived worker that was
    started by a request, or a task that outlives its request.

    Example:
        >>> with detached():
        ...     pass  # asyncio.create_task(refresh_for_ever())
    """
    return Attached(Context())
