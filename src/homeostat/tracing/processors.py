"""The processors of a provider: each is told of spans, and none of them can harm the program or the others.

Also the public way to add one.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.trace import get_tracer_provider

from homeostat.tracing.failures import FAILURES

_ENDING = "_on_ending"
"""The SDK's name of the hook that the specification calls OnEnding; it is not public there yet."""


class GuardedProcessors(SynchronousMultiSpanProcessor):
    """Call each processor in the order in which it came; one that raises is counted and told once.

    Only those hooks are called that a processor has: most have nothing to do when a span begins.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK's has no annotations
        self._starts: tuple[Callable[[Span, Context | None], None], ...] = ()
        self._endings: tuple[Callable[[Span], None], ...] = ()
        self._ends: tuple[Callable[[ReadableSpan], None], ...] = ()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add one at the end."""
        super().add_span_processor(span_processor)
        processors = self._span_processors
        self._starts = tuple(one.on_start for one in processors if _has(one, "on_start"))
        self._endings = tuple(getattr(one, _ENDING) for one in processors if _has(one, _ENDING))
        self._ends = tuple(one.on_end for one in processors if _has(one, "on_end"))

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Tell all that a span began."""
        for start in self._starts:
            try:
                start(span, parent_context)
            except Exception as error:
                FAILURES.caught(f"on_start of {_owner(start)}", error)

    def on_ending(self, span: Span) -> None:
        """Tell all that a span is about to end."""
        for ending in self._endings:
            try:
                ending(span)
            except Exception as error:
                FAILURES.caught(f"on_ending of {_owner(ending)}", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Tell all that a span ended."""
        for end in self._ends:
            try:
                end(span)
            except Exception as error:
                FAILURES.caught(f"on_end of {_owner(end)}", error)

    def shutdown(self) -> None:
        """Shut all down, also those after one that fails."""
        for processor in self._span_processors:
            with FAILURES.contained(f"shutdown of {type(processor).__qualname__}"):
                processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush all within the time; false if one had no time left, said no, or failed."""
        with FAILURES.contained("force_flush of a span processor"):
            return super().force_flush(timeout_millis)
        return False


def _has(processor: SpanProcessor, hook: str) -> bool:
    # By the class, and on the object for processors that are made of something else.
    own = getattr(type(processor), hook, None)
    return callable(own) and own is not getattr(SpanProcessor, hook)


def _owner(hook: Callable[..., None]) -> str:
    return type(getattr(hook, "__self__", hook)).__qualname__


@runtime_checkable
class TakesProcessors(Protocol):
    """A provider to which processors can be added."""

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add one."""


def add_span_processor(processor: SpanProcessor) -> bool:
    """Add a span processor: it is told of every span that is recorded, after those that are there already.

    Attributes that all spans should have are set in `on_start`. What it raises is counted, logged once, and kept from
    the program. Call this after `configure()`.

    Returns:
        whether there was a provider to add it to; if not, that is logged once.
    """
    provider = get_tracer_provider()
    if not isinstance(provider, TakesProcessors):
        FAILURES.noticed(
            "add_span_processor", "A span processor came before configure(), when nothing makes spans, and is ignored"
        )
        return False
    with FAILURES.contained("add_span_processor"):
        provider.add_span_processor(processor)
        return True
    return False
