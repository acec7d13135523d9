"""A span around a block of code, current while the block runs.

Entering and leaving never raise, whatever the span is called and wherever the block is left: a generator may be closed
by another task or thread than the one that ran it (`propagation.scopes`).
"""

from collections.abc import Callable, Sequence
from contextvars import Token
from types import TracebackType
from typing import Final, Protocol, TypeVar

from opentelemetry.context import Context, attach
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.util.types import AnyValue, Attributes

from homeostat.propagation.scopes import current_context, leave
from homeostat.tracing.errors import ERROR_TYPE, error_message, error_type
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.wrapping import AnyCallable, wrapped

SPAN: Final = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""Where OpenTelemetry keeps the current span in a context, found through its public function: a context is then made
with one copy instead of two."""

_Function = TypeVar("_Function", bound=AnyCallable)


class Begins(Protocol):
    """What makes the span: a tracer."""

    def begin(
        self,
        name: str,
        context: Context,
        kind: SpanKind,
        attributes: Attributes,
        start_time: int | None = None,
        complete: Callable[[], dict[str, AnyValue]] | None = None,
        /,
    ) -> Span:
        """Start a span in a context; `complete` makes all its attributes if they are needed."""
        ...


class ActiveSpan:
    """A span that begins when a `with` or `async with` block is entered and ends when it is left.

    As a decorator it makes a new span for each call. An exception that leaves the block marks the span as failed and
    goes on; those that only leave (`GeneratorExit`, `CancelledError`, `SystemExit`) are no failures.
    """

    context: Context | None = None
    links: Sequence[Link] = ()
    start_time: int | None = None
    records_exception = True
    sets_status = True
    ends = True
    _entered: Context | None = None
    _previous: Context | None = None
    _token: Token[Context] | None = None

    def __init__(self, tracer: Begins, name: str, kind: SpanKind, attributes: Attributes) -> None:
        self._tracer = tracer
        self._name = name
        self._kind = kind
        self._attributes = attributes
        self._span: Span = INVALID_SPAN

    @property
    def span(self) -> Span:
        """Return the span; before the block is entered, one that records nothing."""
        return self._span

    def __enter__(self) -> Span:
        """Start the span and make it current."""
        span = self.open()
        self.attach()
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span and return to what was current before."""
        self.detach()
        self.close(error)

    async def __aenter__(self) -> Span:
        """Start the span and make it current."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span and return to what was current before."""
        self.__exit__(kind, error, trace)

    def __call__(self, function: _Function) -> _Function:
        """Make a span around each call of a function."""
        return wrapped(function, lambda _args, _kwargs: self.again())

    def again(self) -> "ActiveSpan":
        """Return another that begins the same way, for the next call."""
        other = ActiveSpan(self._tracer, self._name, self._kind, self._attributes)
        other.__dict__.update(
            context=self.context,
            links=self.links,
            start_time=self.start_time,
            records_exception=self.records_exception,
            sets_status=self.sets_status,
            ends=self.ends,
        )
        return other

    def open(self) -> Span:
        """Start the span; whatever is wrong with it gives one that records nothing."""
        try:
            context = current_context() if self.context is None else self.context
            span = self._span = self._tracer.begin(self._name, context, self._kind, self._attributes, self.start_time)
            for link in self.links:
                span.add_link(link.context, link.attributes)
        except Exception as failure:
            FAILURES.caught("starting a span", failure)
        return self._span

    def attach(self) -> None:
        """Make the span current."""
        previous = self._previous = current_context()
        entered = self._entered = Context({**previous, SPAN: self._span})
        self._token = attach(entered)

    def detach(self) -> None:
        """Return to what was current before."""
        entered, previous = self._entered, self._previous
        if entered is not None and previous is not None:
            leave(entered, previous=previous, token=self._token)

    def close(self, error: BaseException | None) -> None:
        """End the span, with the exception that ended the block, if any."""
        try:
            if isinstance(error, Exception):
                self._fail(error)
            if self.ends:
                self._span.end()
        except Exception as failure:
            FAILURES.caught("ending a span", failure)

    def _fail(self, error: Exception) -> None:
        span = self._span
        if self.records_exception:
            span.record_exception(error)
        if self.sets_status:
            span.set_attribute(ERROR_TYPE, error_type(error))
            span.set_status(StatusCode.ERROR, error_message(error))
