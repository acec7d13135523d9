"""What a decision costs: `python -m benchmarks.sdk.sampling`.

CPU time of one decision when a span begins, beside OpenTelemetry's own sampler, and of one when it ends. Invariant:
every trace that begins has another id.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, set_span_in_context

from benchmarks.figures import Figure, Section, at_most
from benchmarks.reporting import parser, report
from homeostat.sampling import Sampling, SamplingConfig, TailConfig, parse_rules
from homeostat.tracing.provider import build_provider

_ROUNDS: Final = 7
_RATIO: Final = 0.1
_BEGINNING_US_MAX: Final = 2.0
_RULES: Final = parse_rules("GET /health*=0; /checkout/{order}=1; /orders/{id}=0.5; nightly-*=1")
_REQUEST: Final = {"http.request.method": "GET", "url.path": "/orders/17"}
_ROOT: Final = Context()


def _parent(state: str) -> Context:
    """Return the context of a request whose caller is sampled."""
    flags = TraceFlags(TraceFlags.SAMPLED)
    context = SpanContext((1 << 56) - 1, 7, is_remote=True, trace_flags=flags, trace_state=TraceState([("ot", state)]))
    return set_span_in_context(NonRecordingSpan(context), Context())


def _best(work: Callable[[int], object], count: int) -> float:
    """Return the CPU time of one call in microseconds, in the best round: what disturbs only ever adds."""
    draw = Random(1)
    ids = [draw.getrandbits(128) for _ in range(count)]
    best = float("inf")
    for _ in range(_ROUNDS):
        began_s = time.process_time()
        for trace_id in ids:
            work(trace_id)
        best = min(best, time.process_time() - began_s)
    return best / count * 1e6


def _asked(sampler: Sampler, context: Context) -> Callable[[int], object]:
    ask = sampler.should_sample
    return lambda trace_id: ask(context, trace_id, "GET", None, _REQUEST)


def _beginnings(count: int) -> Iterator[Figure]:
    plain = Sampling(SamplingConfig(ratio=_RATIO))
    ruled = Sampling(SamplingConfig(ratio=_RATIO, rules=_RULES))
    theirs = ParentBasedTraceIdRatio(_RATIO)
    decide = plain.sampler.decide
    yield Figure("root, decision alone", _best(lambda trace_id: decide(None, trace_id, "GET", None), count), "us")
    for name, sampler in (("root", plain.sampler), ("root, four rules", ruled.sampler)):
        yield Figure(name, _best(_asked(sampler, _ROOT), count), "us", at_most(_BEGINNING_US_MAX))
    yield Figure("root, OpenTelemetry's", _best(_asked(theirs, _ROOT), count), "us")
    followed = _parent("th:e666;rv:ffffffffffffff")
    yield Figure("sampled caller", _best(_asked(plain.sampler, followed), count), "us", at_most(_BEGINNING_US_MAX))
    yield Figure("sampled caller, OpenTelemetry's", _best(_asked(theirs, followed), count), "us")


def _ends(count: int) -> Iterator[Figure]:
    yield Figure("weighing", _end(SamplingConfig(), count), "us")
    yield Figure("tail, a trace of one span", _end(SamplingConfig(tail=TailConfig()), count), "us")


def _end(config: SamplingConfig, count: int) -> float:
    sampling = Sampling(config)
    processor = sampling.tail(SpanProcessor())
    provider = build_provider(resource=Resource({}), sampler=sampling.sampler, processors=[processor])
    span = provider.get_tracer("homeostat").start_span("GET /orders/{id}", attributes=_REQUEST)
    assert isinstance(span, Span)
    span.end()

    def pass_through(_: int) -> None:
        processor.on_start(span)
        processor.on_end(span)

    cost_us = _best(pass_through, count)
    sampling.shutdown()
    return cost_us


def sections(count: int) -> Iterator[Section]:
    """Measure both decisions."""
    yield Section("at the beginning, CPU time a decision", list(_beginnings(count)))
    yield Section("at the end, CPU time a span", list(_ends(count)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say."""
    options_of = parser("sdk.sampling", __doc__)
    options_of.add_argument("--decisions", type=int, default=50_000, help="in each round")
    options = options_of.parse_args(arguments)
    report("sdk-sampling", sections(options.decisions), json_path=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
