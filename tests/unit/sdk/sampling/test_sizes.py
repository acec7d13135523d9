import gc
import tracemalloc
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanContext, TraceFlags

from homeostat.sampling import SamplingConfig, TailConfig
from homeostat.sampling.sizes import FRAGMENT_BYTES, size_bytes
from tests.sampled_spans import Bench

COUNT = 200


def plain(bench: Bench, number: int) -> None:
    """Make a span with nothing in it."""
    bench.end(bench.start(f"plain {number}"))


def request(bench: Bench, number: int) -> None:
    """Make a span such as a server makes."""
    span = bench.start(f"GET /orders {number}")
    for key in range(12):
        span.set_attribute(f"attribute.{key}", f"value {number} of some length {key}")
    span.set_attribute("numbers", [number * 1000 + member for member in range(20)])
    span.set_attribute("texts", [f"text {number} {member}" for member in range(20)])
    bench.end(span)


def eventful(bench: Bench, number: int) -> None:
    """Make a span with events and links."""
    links = [
        Link(SpanContext(number + 1, member + 1, is_remote=True, trace_flags=TraceFlags(1))) for member in range(4)
    ]
    span = bench.provider.get_tracer("t").start_span(f"eventful {number}", links=links)
    for event in range(5):
        span.add_event(f"event {number} {event}", {"exception.stacktrace": f"{number}" * 300, "number": number})
    span.end()


def wide(bench: Bench, number: int) -> None:
    """Make a span whose text takes four bytes a character."""
    span = bench.start(f"wide {number} \N{PILE OF POO}")
    span.set_attribute("text", "\N{PILE OF POO}" * 500 + str(number))
    bench.end(span)


@pytest.mark.parametrize("make", [plain, request, eventful, wide])
def test_the_estimate_is_never_less_than_what_a_span_takes(make: Callable[[Bench, int], None]) -> None:
    """So the bound in bytes is one in memory; it is not more than ten times it either, or it would bound too much."""
    bench = Bench(SamplingConfig(ratio=1.0))
    make(bench, 0)
    bench.arrived.spans = []
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1, COUNT + 1):
            make(bench, number)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    estimated = sum(map(size_bytes, bench.arrived.spans)) + COUNT * FRAGMENT_BYTES
    assert (after - before) <= estimated <= 10 * (after - before)


def test_nested_values_count() -> None:
    """A map inside an attribute is as large as what is in it."""
    small = ReadableSpan("span", attributes={"map": {"a": "b"}})
    large = ReadableSpan("span", attributes={"map": {"a": "b" * 10_000}})
    assert size_bytes(large) - size_bytes(small) >= 9_999


def test_a_held_trace_counts_before_its_first_span() -> None:
    """Roots that never end take memory too."""
    bench = Bench(SamplingConfig(tail=TailConfig()))
    bench.start()
    assert bench.sampling.statistics().bytes_held == FRAGMENT_BYTES
