"""One measurement in a process of its own: `python -m homeostat.overhead.probe PLAN`, with the plan as JSON.

It prints one line of JSON: what was measured. It compares nothing.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import Tracer

from homeostat.overhead.application import application, drive, pace
from homeostat.overhead.variants import Variant, observed
from homeostat.sampling import Sampling
from homeostat.tracing.provider import build_provider

WARM_UP_REQUESTS: Final = 2_000
WARM_UP_SPANS: Final = 5_000
_MICROSECONDS: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say what one process measures.

    Args:
        kind: `requests` as fast as they are answered, `paced` ones, or `spans`.
        variant: who observes.
        ratio: share of traces that are kept.
        endpoint: where OTLP/HTTP goes.
        count: requests or spans.
        requests_per_s: rate of the paced ones.
    """

    kind: str
    variant: Variant
    ratio: float = 1.0
    endpoint: str = ""
    count: int = 0
    requests_per_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Hold what one process measured.

    Args:
        cpu_us: CPU time of the whole process for one request or span, in microseconds, user and system.
        cpu_share: the same as a share of one processor while it lasted, 0 to 1.
        lost: spans that were not delivered, None where nobody counts.
    """

    cpu_us: float
    cpu_share: float
    lost: int | None


def main() -> None:
    """Measure what the arguments say."""
    given = json.loads(sys.argv[1])
    plan = Plan(**{**given, "variant": Variant(given["variant"])})
    measured = _spans(plan) if plan.kind == "spans" else asyncio.run(_requests(plan))
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")


async def _requests(plan: Plan) -> Measured:
    watched = observed(plan.variant, application(), ratio=plan.ratio, endpoint=plan.endpoint)
    await drive(watched.app, requests=WARM_UP_REQUESTS)
    watched.flush()
    lost_before = watched.lost() or 0
    with _watch() as watch:
        if plan.kind == "paced":
            await pace(watched.app, requests_per_s=plan.requests_per_s, duration_s=plan.count / plan.requests_per_s)
        else:
            await drive(watched.app, requests=plan.count)
        # What waits still has to be sent by this process, so it is part of the price.
        watched.flush()
    lost = watched.lost()
    return watch.measured(plan.count, lost=None if lost is None else lost - lost_before)


def _spans(plan: Plan) -> Measured:
    """Measure spans alone: made, current in a block, with two attributes, ended; nothing exports them."""
    tracer = _tracer(plan.variant)
    _make(tracer, WARM_UP_SPANS)
    with _watch() as watch:
        _make(tracer, plan.count)
    return watch.measured(plan.count, lost=None)


def _make(tracer: Tracer, count: int) -> None:
    for _ in range(count):
        with tracer.start_as_current_span("price", attributes={"order.lines": 3}) as span:
            span.set_attribute("order.total", 42.0)


class _Nowhere(SpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        """Forget the span."""


def _tracer(variant: Variant) -> Tracer:
    named = Resource({"service.name": "homeostat-overhead"})
    if variant is Variant.HOMEOSTAT:
        sampling = Sampling()
        ours = build_provider(resource=named, sampler=sampling.sampler, keeps=sampling.keeps, processors=[_Nowhere()])
        return ours.get_tracer("homeostat")
    bare = TracerProvider(resource=named, shutdown_on_exit=False)
    bare.add_span_processor(_Nowhere())
    return bare.get_tracer("bare")


class _Watch:
    """Read the clocks of this process."""

    def __init__(self) -> None:
        self._cpu_s = self._wall_s = 0.0

    def start(self) -> None:
        self._cpu_s, self._wall_s = _cpu_s(), time.perf_counter()

    def stop(self) -> None:
        self._cpu_s, self._wall_s = _cpu_s() - self._cpu_s, time.perf_counter() - self._wall_s

    def measured(self, count: int, *, lost: int | None) -> Measured:
        return Measured(cpu_us=self._cpu_s / count * _MICROSECONDS, cpu_share=self._cpu_s / self._wall_s, lost=lost)


@contextmanager
def _watch() -> Iterator[_Watch]:
    watch = _Watch()
    gc.collect()
    watch.start()
    yield watch
    watch.stop()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
