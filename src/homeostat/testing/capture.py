"""What a test sees of the telemetry that its code makes: nothing is sent anywhere, and nothing is left out.

While a capture runs, every span of this process goes to it: of `homeostat.span()`, of instrumented libraries and of
OpenTelemetry's API; with `configure()` or without; whatever sampling says; from any thread or task. Spans that began
before it are not its own.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Unpack

from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from homeostat.exceptions import ExpectationFailed
from homeostat.sampling.diversion import diverted
from homeostat.testing.provider import standing_in
from homeostat.testing.recorded import RecordedSpan, recorded
from homeostat.testing.spans import Expectation, Spans

WAIT_S: Final = 5.0
"""How long work in the background may take in a test; what has not ended by then has failed."""


class SpanRecorder(SpanProcessor):
    """Keep the spans that both began and ended here."""

    def __init__(self) -> None:
        """Begin with none."""
        self._changed = threading.Condition()
        self._open: set[tuple[int, int]] = set()
        self._ended: list[RecordedSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the port's
        """Note that a span began."""
        with self._changed:
            self._open.add((span.context.trace_id, span.context.span_id))

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span that began here; once, also where two processors pass it on."""
        with self._changed:
            identity = (span.context.trace_id, span.context.span_id)
            if identity in self._open:
                self._open.remove(identity)
                self._ended.append(recorded(span))
                self._changed.notify_all()

    def spans(self) -> Spans:
        """Return what has ended so far."""
        with self._changed:
            return Spans(self._ended)

    def close(self) -> None:
        """Take nothing any more: what ends later belongs to no test."""
        with self._changed:
            self._open.clear()

    def clear(self) -> None:
        """Forget what has ended."""
        with self._changed:
            self._ended = []

    def wait_for(self, condition: Callable[[Spans], bool], *, timeout_s: float) -> Spans | None:
        """Return the spans as soon as a condition is true of them; None when it is not in time."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while not condition(spans := Spans(self._ended)):
                if not self._changed.wait(max(0.0, deadline_s - time.monotonic())):
                    return None
            return spans


class Capture:
    """Hold what was captured. `spans` today; logs, metrics and errors get a place beside it."""

    def __init__(self, *, spans: SpanRecorder) -> None:
        """Show what these record."""
        self._spans = spans

    @property
    def spans(self) -> Spans:
        """Return the spans that have ended so far, in that order."""
        return self._spans.spans()

    def assert_span(self, name: str, **expected: Unpack[Expectation]) -> RecordedSpan:
        """Return the first span of this name that is as expected; `Spans.assert_span` says more.

        Raises:
            ExpectationFailed: there is none; the text shows what there is.
        """
        return self.spans.assert_span(name, **expected)

    def assert_no_span(self, name: str, **expected: Unpack[Expectation]) -> None:
        """Check that no span of this name is as described.

        Raises:
            ExpectationFailed: there is one.
        """
        self.spans.assert_no_span(name, **expected)

    def wait_for_span(self, name: str, *, timeout_s: float = WAIT_S, **expected: Unpack[Expectation]) -> RecordedSpan:
        """Wait for a span that ends in another thread, and return it; in a coroutine, await the work instead.

        Raises:
            ExpectationFailed: there is none in time; the text shows what there is.
        """

        def is_there(spans: Spans) -> bool:
            return _found(spans, name, expected)

        spans = self._spans.wait_for(is_there, timeout_s=timeout_s)
        return (self.spans if spans is None else spans).assert_span(name, **expected)

    def clear(self) -> None:
        """Forget what was captured so far: what a test prepares is not what it checks."""
        self._spans.clear()


def _found(spans: Spans, name: str, expected: Expectation) -> bool:
    try:
        spans.assert_span(name, **expected)
    except ExpectationFailed:
        return False
    return True


@contextmanager
def capturing() -> Iterator[Capture]:
    """Capture until the block ends; the fixture `capture` is this around a test.

    The block begins outside of any trace. Captures may lie inside each other: the innermost gets the spans.
    """
    recorder = SpanRecorder()
    token = attach(Context())
    try:
        with diverted(recorder), standing_in(recorder):
            yield Capture(spans=recorder)
    finally:
        recorder.close()
        detach(token)
