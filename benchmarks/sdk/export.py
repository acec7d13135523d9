"""What a span costs after its end: `python -m benchmarks.sdk.export`.

CPU time of this process by its own clock, over all its threads: putting a span into the queue, encoding it, and all of
it together with sending over HTTP to a live platform in another process, each beside what OpenTelemetry's own pieces
cost. Invariant: every span is a new one with ten attributes, five of which have never been seen before.
"""

import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from benchmarks.figures import Figure, Section, at_most
from benchmarks.platform_process import Setup, running
from benchmarks.reporting import parser, report
from homeostat.export import ExportConfig, Exporting
from homeostat.export.spans import SpanEncoder
from homeostat.redaction import RedactionConfig, Redactor

BATCH: Final = 512
RESOURCE: Final = Resource(
    {"service.name": "orders", "service.instance.id": "1", "deployment.environment.name": "test"}
)
_ROUNDS: Final = 5
_ENCODING_US_MAX: Final = 8.0
_FLUSH_S: Final = 60.0


class _Kept(SpanProcessor):
    """Keep ended spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def ended_spans(count: int, *, first: int = 0) -> list[ReadableSpan]:
    """Return spans as an HTTP server's middleware makes them."""
    kept = _Kept()
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(kept)
    tracer = provider.get_tracer("homeostat.http", "1.0")
    for number in range(first, first + count):
        attributes = {
            "http.request.method": ("GET", "POST")[number % 2],
            "http.route": f"/orders/{{id}}/{number % 20}",
            "http.response.status_code": 200 + number % 5,
            "network.protocol.version": "1.1",
            "url.scheme": "http",
            "url.path": f"/orders/{number}",
            "client.address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "correlation.id": f"{number:032x}",
            "order.total": number / 100,
            "order.number": number,
        }
        tracer.start_span(f"POST /orders/{{id}}/{number % 20}", attributes=attributes).end()
    return kept.spans


def _us_per_span(work: Callable[[Sequence[ReadableSpan]], object], spans: Sequence[ReadableSpan]) -> float:
    """Return the CPU time of a span, in the best round: what disturbs only ever adds."""
    began_s = time.process_time()
    work(spans)
    return (time.process_time() - began_s) / len(spans) * 1e6


def _best(make: Callable[[], Callable[[Sequence[ReadableSpan]], object]], count: int) -> float:
    numbers = itertools.count(0, count)
    return min(_us_per_span(make(), ended_spans(count, first=next(numbers))) for _ in range(_ROUNDS))


def _in_batches(encode: Callable[[Sequence[ReadableSpan]], object]) -> Callable[[Sequence[ReadableSpan]], None]:
    def work(spans: Sequence[ReadableSpan]) -> None:
        for start in range(0, len(spans), BATCH):
            encode(spans[start : start + BATCH])

    return work


def _encoders() -> Iterator[tuple[str, Callable[[], Callable[[Sequence[ReadableSpan]], object]]]]:
    ours = SpanEncoder(redactor=Redactor())
    open_ = SpanEncoder(redactor=Redactor(RedactionConfig(enabled=False)))
    yield "encode, redacted", lambda: _in_batches(ours.encode)
    yield "encode, not redacted", lambda: _in_batches(open_.encode)
    yield "encode, OpenTelemetry's", lambda: _in_batches(lambda spans: encode_spans(spans).SerializeToString())


def _ours(port: int, **config: object) -> Callable[[Sequence[ReadableSpan]], None]:
    """Return the whole way through our export."""

    def work(spans: Sequence[ReadableSpan]) -> None:
        made = ExportConfig(endpoint=f"http://127.0.0.1:{port}", queue_spans=len(spans) + 1, **config)  # type: ignore[arg-type]  # its own fields
        exporting = Exporting(made, resource=RESOURCE)
        on_end = exporting.span_processor.on_end
        for span in spans:
            on_end(span)
        assert exporting.flush(_FLUSH_S)
        exporting.shutdown()

    return work


def _theirs(port: int) -> Callable[[Sequence[ReadableSpan]], None]:
    """Return the whole way through OpenTelemetry's batch processor and HTTP exporter."""

    def work(spans: Sequence[ReadableSpan]) -> None:
        exporter = OTLPSpanExporter(f"http://127.0.0.1:{port}/v1/traces")
        processor = BatchSpanProcessor(exporter, max_queue_size=len(spans) + 1)
        for span in spans:
            processor.on_end(span)
        processor.force_flush()
        processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's own

    return work


def _queue(spans: Sequence[ReadableSpan]) -> None:
    """Put spans into a queue that nobody empties."""
    exporting = _Threadless(ExportConfig(queue_spans=len(spans) + 1, batch_spans=len(spans) + 1), resource=RESOURCE)
    on_end = exporting.span_processor.on_end
    for span in spans:
        on_end(span)


class _Threadless(Exporting):
    def start(self) -> None:
        """Start nothing."""


def sections(count: int) -> Iterator[Section]:
    """Measure the pieces and the whole."""
    yield Section(
        "pieces, CPU time a span",
        [
            Figure("queue", _best(lambda: _queue, count), "us"),
            *(
                Figure(
                    name, _best(make, count), "us", at_most(_ENCODING_US_MAX) if name == "encode, redacted" else None
                )
                for name, make in _encoders()
            ),
        ],
    )
    with running(Setup()) as platform, tempfile.TemporaryDirectory() as folder:
        port, ahead = platform.http_port, {"spool_folder": Path(folder), "durability": "write-ahead"}
        yield Section(
            "queue, encode and send over HTTP to a live platform, CPU time a span in this process",
            [
                Figure("homeostat", _best(lambda: _ours(port), count), "us"),
                Figure("homeostat, gzip", _best(lambda: _ours(port, compression="gzip"), count), "us"),
                Figure("homeostat, write-ahead", _best(lambda: _ours(port, **ahead), count), "us"),
                Figure("OpenTelemetry's batch processor and exporter", _best(lambda: _theirs(port), count), "us"),
            ],
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say."""
    options_of = parser("sdk.export", __doc__)
    options_of.add_argument("--spans", type=int, default=20 * BATCH, help="in each round")
    options = options_of.parse_args(arguments)
    report("sdk-export", sections(options.spans), json_path=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
