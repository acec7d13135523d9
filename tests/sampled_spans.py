"""Spans made by the real OpenTelemetry SDK under a sampling, and what arrives behind it. It exports nothing."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from homeostat.sampling import Sampling, SamplingConfig, weight

SECOND_NS: Final = 1_000_000_000
OWN_SCOPE: Final = "homeostat.tests"


@dataclass(slots=True)
class Clock:
    """Hold a time that a test sets."""

    now_s: float = 0.0

    def __call__(self) -> float:
        """Return it."""
        return self.now_s


class SeededIds(IdGenerator):
    """Draw ids that are the same in every run."""

    def __init__(self, seed: int) -> None:
        """Begin the sequence of this seed."""
        self._random = Random(seed)

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return self._random.getrandbits(128) or 1

    def is_trace_id_random(self) -> bool:
        """Say that all of its bits are random."""
        return True


@dataclass(slots=True)
class Arrived(SpanProcessor):
    """Keep what is passed on, and count what else a processor is told."""

    spans: list[ReadableSpan] = field(default_factory=list)
    started: int = 0
    flushes: list[int] = field(default_factory=list)
    shutdowns: int = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the port's
        """Count it."""
        self.started += 1

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it."""
        self.spans.append(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Remember the time-out."""
        self.flushes.append(timeout_millis)
        return True

    def shutdown(self) -> None:
        """Count it."""
        self.shutdowns += 1

    @property
    def names(self) -> list[str]:
        """Return the names of the spans, as they came."""
        return [span.name for span in self.spans]

    def weights(self, name: str) -> list[float | None]:
        """Return the weights of the spans of this name."""
        return [weight(span.context.trace_state) for span in self.spans if span.name == name]


class Bench:
    """Hold a provider with a sampling in front of what arrives."""

    def __init__(self, config: SamplingConfig, *, seed: int = 1) -> None:
        """Build them as a service has them."""
        self.clock = Clock()
        self.sampling = Sampling(config, clock=self.clock)
        self.arrived = Arrived()
        self.processor = self.sampling.tail(self.arrived)
        self.provider = TracerProvider(
            sampler=self.sampling.sampler, id_generator=SeededIds(seed), shutdown_on_exit=False
        )
        self.provider.add_span_processor(self.processor)
        self._times = itertools.count(1)

    def start(self, name: str = "root", *, parent: Span | None = None, scope: str = OWN_SCOPE) -> Span:
        """Start a span; it begins at second 0 of its own time."""
        context = Context() if parent is None else set_span_in_context(parent, Context())
        return self.provider.get_tracer(scope).start_span(name, context=context, start_time=0)

    def end(self, span: Span, *, error: bool = False, duration_s: float = 0.001) -> None:
        """End a span so long after its beginning."""
        if error:
            span.set_status(StatusCode.ERROR)
        span.end(end_time=round(duration_s * SECOND_NS))

    def trace(self, *names: str, errors: Sequence[str] = (), slow: Sequence[str] = ()) -> Span:
        """Make a finished trace: the first name is its root, the others are children that end before it."""
        root = self.start(names[0])
        for name in names[1:]:
            self.end(self.start(name, parent=root), error=name in errors, duration_s=9.0 if name in slow else 0.001)
        self.end(root, error=names[0] in errors, duration_s=9.0 if names[0] in slow else 0.001)
        return root


def remote(trace_id: int, *, sampled: bool, state: str = "") -> Span:
    """Return a span of another process, as propagation gives it."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    trace_state = TraceState.from_header([state]) if state else TraceState()
    return NonRecordingSpan(SpanContext(trace_id, 7, is_remote=True, trace_flags=flags, trace_state=trace_state))
