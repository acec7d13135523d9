"""Blocks that have a context of their own, closed in whatever order and wherever; they do not know what is in it.

Invariant: leaving a block never raises, never logs, and never disturbs a context that belongs to somebody else: a
generator may be closed by another task or thread than the one that ran it, or while its caller has entered something.
Then the block's context is marked, and whoever entered it finds out the next time that it asks what is current; tasks
that were started inside the block keep it.
"""

from contextvars import Token
from types import TracebackType
from typing import Final, Self

from opentelemetry.context import Context, attach, get_current

_LEFT: Final = "_homeostat_left"
"""Attribute of a context whose block has been left elsewhere: the token with which it was entered."""


class Attached:
    """Make a context current inside a `with` block.

    Each instance serves one block.
    """

    __slots__ = ("_context", "_previous", "_token")

    def __init__(self, context: Context) -> None:
        """Prepare a block; the context must not be in use by another one (copy it with `Context(…)` if it may be)."""
        self._context = context
        self._previous = context
        self._token: Token[Context] | None = None

    def __enter__(self) -> Self:
        """Make the context current."""
        self._previous = current_context()
        self._token = attach(self._context)
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
        token, self._token = self._token, None
        if token is not None:
            leave(self._context, previous=self._previous, token=token)


def current_context() -> Context:
    """Return what is current; where its block was left from somewhere else, what was current before that block."""
    context = get_current()
    return context if getattr(context, _LEFT, None) is None else _settled(context)


def leave(entered: Context, *, previous: Context, token: Token[Context] | None = None) -> None:
    """Return from a context to the one before it.

    Unlike OpenTelemetry's `detach` this may happen in another task or thread than the `attach`, or while something else
    is current: that stays so.

    Args:
        entered: What was attached, an object that was attached once.
        previous: What `current_context` gave before that.
        token: What `attach` gave; without it, whoever attached it does not find out when it is left elsewhere.
    """
    here = get_current() is entered
    if token is None:
        if here:
            attach(previous)
        return
    if here:
        try:
            token.var.reset(token)
        except (AttributeError, ValueError):
            # A copy of the context in which the block was entered, such as that of the task that closes a generator;
            # or OpenTelemetry keeps its context in something else than context variables (`OTEL_PYTHON_CONTEXT`).
            attach(previous)
        else:
            current_context()
            return
    setattr(entered, _LEFT, token)


def _settled(context: Context) -> Context:
    token: Token[Context] = getattr(context, _LEFT)
    try:
        token.var.reset(token)
    except (AttributeError, RuntimeError, ValueError):
        # A task that was started inside the block, or a second look: what it has inherited is its own.
        return context
    return current_context()


def detached() -> Attached:
    """Start from nothing inside a `with` block: no parent span, no values.

    For work that has nothing to do with what happens to be current, such as each item of a long-lived worker that was
    started by a request, or a task that outlives its request.

    Example:
        >>> with detached():
        ...     pass  # asyncio.create_task(refresh_for_ever())
    """
    return Attached(Context())
