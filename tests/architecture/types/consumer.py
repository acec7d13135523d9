"""A service and its tests that use every public name, as the strictest type checkers see it. It is never run."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import assert_type

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import Span, SpanKind

import homeostat
from homeostat.exceptions import (
    BufferUnusable,
    CarrierUnsupported,
    ExpectationFailed,
    ExportFailed,
    ExtraMissing,
    HomeostatError,
    NameUndeclared,
    SettingInvalid,
)
from homeostat.testing import (
    ROOT,
    Capture,
    Expectation,
    NewTrace,
    Platform,
    RecordedEvent,
    RecordedLink,
    RecordedSpan,
    Spans,
    capturing,
    new_trace,
)


class App:
    """Be any ASGI application."""


handle = homeostat.configure(
    "orders-api", app=App(), environment="production", sampling_rules=["GET /health=0"], buffer_bytes_max="1GiB"
)
assert_type(handle, homeostat.Handle)
assert_type(homeostat.current_handle(), homeostat.Handle | None)
assert_type(handle.flush(timeout_s=1.0), bool)
assert_type(handle.problems, tuple[str, ...])
assert_type(handle.instance_id, str)
assert_type(handle.is_active, bool)
assert_type(handle.settings.sampling_tail_spans_max, int)
assert_type(handle.change_sampling(ratio=0.5, rules=["/a=1"], keep_errors=True, slow_s=2.0), bool)
assert_type(homeostat.__version__, str)
wrapped_app: object = homeostat.instrument(App())


class Stamp(SpanProcessor):
    """Be a processor of the program's own."""

    def on_end(self, span: ReadableSpan) -> None:
        """Look at a span."""
        print(span.name)  # noqa: T201 - a program's own business


handle.add_span_processor(Stamp())
assert_type(homeostat.add_span_processor(homeostat.BaggageAttributes(["plan"])), bool)


@homeostat.traced
def price(item: str, *, count: int = 1) -> float:
    """Keep its signature under the decorator."""
    with homeostat.span("look-up", item=item, attributes={"count": count}) as span:
        assert_type(span, Span)
        span.set_attribute("found", True)
    homeostat.record_error(ValueError("no"))
    homeostat.record_error("card_declined", message="no")
    return 3.0


@homeostat.traced(name="fetch", arguments=["item"])
async def fetch(item: str) -> bytes:
    """Be a coroutine function."""
    async with homeostat.span("connection"):
        return item.encode()


@homeostat.traced
def pages() -> Iterator[int]:
    """Be a generator."""
    yield 1


@homeostat.traced
async def rows() -> AsyncIterator[str]:
    """Be an asynchronous generator."""
    yield "a"


@homeostat.span("nightly")
def nightly() -> int:
    """Have a span around each call."""
    return 1


assert_type(price("tea", count=2), float)
assert_type(nightly(), int)
assert_type(homeostat.traced_block("price", price, "tea", count=3), float)
assert_type([page for page in pages()], list[int])  # noqa: C416 - it has to be iterable


async def run() -> None:
    """Await what is made for it."""
    assert_type(await fetch("tea"), bytes)
    assert_type(await homeostat.traced_block("fetch", fetch, "tea"), bytes)
    async for row in rows():
        assert_type(row, str)
    await asyncio.to_thread(homeostat.carried(price), "tea")


def families() -> None:
    """Make a span of each family."""
    with homeostat.database_span("postgresql", "SELECT", collection="orders", query="SELECT 1"):
        pass
    with homeostat.cache_span("get", "prices", key="tea") as span:
        homeostat.record_cache_lookup(span, hit=False)
    with homeostat.http_client_span("GET", "https://example.org/") as span:
        homeostat.record_http_response(span, 200)
    with homeostat.rpc_client_span("grpc", "orders.Orders/Get"), homeostat.rpc_server_span("grpc", "orders.Orders/Get"):
        pass
    with homeostat.producer_span("nats", "orders"), homeostat.consumer_span("nats", "orders", group="stock"):
        pass
    with homeostat.event_span("order.created", attempt=1), homeostat.loop_span("pool", "analyze", dry_run=True):
        pass
    with homeostat.inference_span("chat", "small") as span:
        homeostat.record_inference_usage(span, input_tokens=1, output_tokens=2)
    with homeostat.retrieval_span("handbook", wanted=5) as span:
        homeostat.record_retrieval(span, found=3, top_score=0.5)
    with homeostat.mesh_span("send", "radio", peer="b"), homeostat.governance_span("approve", "budget"):
        pass
    with homeostat.security_span("login") as span:
        homeostat.record_security_outcome(span, "denied", reason="password")


def attributes() -> Mapping[str, object]:
    """Build declared attributes."""
    lines = homeostat.Declared("order.lines", homeostat.Shape.INTEGER, "How many lines it has.")
    orders = homeostat.Family("orders", "An order.", "what is done", (lines,))
    assert_type(orders.declared, tuple[homeostat.Declared, ...])
    with homeostat.family_span(orders, "confirm", kind=SpanKind.INTERNAL, values={"order.lines": 2}) as span:
        assert_type(span, Span)
    return homeostat.SpanAttributes(orders).put("order.lines", 2).tenant("acme").user("u").correlation("c").built()


def travelling() -> None:
    """Carry what belongs to a request."""
    with homeostat.bound(tenant="acme", user=None, baggage={"plan": "gold"}), homeostat.contained():
        assert_type(homeostat.current(), homeostat.Correlation)
        assert_type(homeostat.current().tenant, str | None)
    with homeostat.detached(), homeostat.measured("wait") as measured:
        assert_type(measured.seconds, float)
    document = homeostat.enveloped({"order": 7})
    envelope: homeostat.Envelope = homeostat.opened(document)
    with homeostat.processing(envelope, destination="/orders"), homeostat.processing_batch([envelope]):
        pass


def test_of_a_service(capture: Capture) -> None:
    """Assert on spans."""
    expected: Expectation = {"status": "error", "attributes": {"n": ...}}
    capture.assert_span("price", **expected)
    span = capture.assert_span("price", parent=ROOT, kind="internal")
    assert_type(span, RecordedSpan)
    assert_type(capture.wait_for_span("late", timeout_s=1.0, parent=span).weight, float | None)
    assert_type(capture.spans, Spans)
    assert_type(capture.spans[0:1], Spans)
    assert_type(capture.spans.one("x").events, tuple[RecordedEvent, ...])
    assert_type(span.links, tuple[RecordedLink, ...])
    capture.assert_no_span("other")
    capture.clear()
    with capturing() as inner:
        assert_type(inner, Capture)
    trace: NewTrace = new_trace()
    spans = Platform("http://127.0.0.1:4318", key="k").trace(trace.trace_id, names=["price"], timeout_s=1.0)
    assert_type(spans, Spans)


def errors() -> list[type[HomeostatError]]:
    """Know every error."""
    return [
        BufferUnusable,
        CarrierUnsupported,
        ExpectationFailed,
        ExportFailed,
        ExtraMissing,
        NameUndeclared,
        SettingInvalid,
    ]
