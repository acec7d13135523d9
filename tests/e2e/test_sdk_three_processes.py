"""One request through three processes, over HTTP, a WebSocket and a queue, is one trace."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from homeostat.testing import NewTrace, Platform, RecordedSpan, Spans, new_trace
from tests import running
from tests.brokers import free_port, nats_url
from tests.jaeger import running_jaeger
from tests.served import BIN, environment, served
from tests.waiting import until

__all__ = ["nats_url"]

pytestmark = pytest.mark.e2e

PROGRAMS: Final = Path(__file__).parent / "sdk_services"
LAST: Final = "pack"
"""The span that ends last: when it has arrived, the others have."""


@contextmanager
def services(endpoint: str, nats: str, folder: Path) -> Iterator[str]:
    """Run the three services, which send to an endpoint, and give the address of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    gateway, stock, ready = free_port(), free_port(), folder / "ready"
    told = environment(
        HOMEOSTAT_ENDPOINT=endpoint,
        HOMEOSTAT_EXPORT_DELAY_S="0.2",
        HOMEOSTAT_BUFFER_FOLDER=str(folder / "buffer"),
        NATS=nats,
        STOCK=f"ws://127.0.0.1:{stock}/reservations",
        READY=str(ready),
    )
    with ExitStack() as stack:
        log = stack.enter_context((folder / "shipping.log").open("wb"))
        shipping = subprocess.Popen([sys.executable, PROGRAMS / "shipping.py"], env=told, stdout=log, stderr=log)
        stack.callback(shipping.wait)
        stack.callback(shipping.kill)
        for name, port in (("stock", stock), ("gateway", gateway)):
            words = [str(BIN / "uvicorn"), f"{name}:app", "--port", str(port)]
            stack.enter_context(served(words, folder=PROGRAMS, port=port, variables=told, log=folder / f"{name}.log"))
        until(ready.exists, what="shipping to listen")
        yield f"http://127.0.0.1:{gateway}"
        shipping.send_signal(signal.SIGTERM)
        assert shipping.wait(timeout=30) == 0, (folder / "shipping.log").read_text()


def order(gateway: str) -> NewTrace:
    """Order something in a trace of the test's own."""
    trace = new_trace()
    headers = trace.headers | {"x-correlation-id": "order-4711"}
    answer = httpx.post(f"{gateway}/orders/tea", headers=headers, trust_env=False)
    assert answer.json() == {"reserved": {"reserved": "tea"}}
    return trace


def path(spans: Spans, span: RecordedSpan) -> list[str]:
    """Return the services from the top of a trace down to a span, each once where it goes on within one."""
    upwards = [span]
    while (parent := spans.parent(upwards[-1])) is not None:
        upwards.append(parent)
    services = [one.service for one in reversed(upwards)]
    return [service for number, service in enumerate(services) if number == 0 or services[number - 1] != service]


def check(spans: Spans, trace: NewTrace) -> None:
    """Check that the trace is one, whole, and says everywhere whose work it is."""
    assert spans.trace_ids == [trace.trace_id]
    assert {span.parent_id for span in spans.roots} == {trace.span_id}
    top = spans.assert_span("POST /orders/{item}", service="gateway", kind="server")
    assert top.parent_id == trace.span_id
    whose = {"tenant.id": "acme", "user.id": "u-1", "correlation.id": "order-4711"}
    connected = spans.assert_span("GET /reservations", service="stock", kind="server", attributes=whose)
    assert path(spans, connected) == ["gateway", "stock"]
    spans.assert_span("reserve", service="stock", attributes=whose, parent="process /reservations")
    spans.assert_span(LAST, service="shipping", status="error", attributes=whose | {"error.type": "broken_cup"})
    assert path(spans, spans.one(LAST)) == ["gateway", "stock", "shipping"]
    assert {span.weight for span in spans} <= {None, 1.0}


def shape(spans: Spans) -> list[tuple[str, ...]]:
    """Return what is the same of a trace in every run."""
    parents = {span.span_id: span.name for span in spans}
    return sorted(
        (span.service, span.name, span.kind, span.status, span.scope, parents.get(span.parent_id or "", ""), *keys)
        for span in spans
        # Jaeger's remarks, such as one on a server that is busy for longer than its client waits, are its own.
        for keys in [sorted(key for key in span.attributes if not key.startswith("@jaeger@"))]
    )


def stored_by_the_platform(nats: str, folder: Path) -> tuple[Spans, NewTrace]:
    """Return the trace of an order as the real platform has it."""
    with running.running(folder / "data") as platform:
        endpoint = f"http://127.0.0.1:{platform.http_port}"
        with services(endpoint, nats, folder) as gateway:
            trace = order(gateway)
            return Platform(endpoint).trace(trace.trace_id, names=[LAST]), trace


def test_one_request_through_three_processes_is_one_trace(nats_url: str, tmp_path: Path) -> None:
    """Stored by the real platform: every span has its parent, and tenant, user and correlation id went along."""
    spans, trace = stored_by_the_platform(nats_url, tmp_path)
    check(spans, trace)


def test_the_same_spans_reach_jaeger(nats_url: str, tmp_path: Path) -> None:
    """A Jaeger v2 shows the same trace as the platform: the export speaks OTLP and no dialect of it."""
    with (
        running_jaeger(tmp_path / "jaeger") as jaeger,
        services(jaeger.otlp, nats_url, tmp_path) as gateway,
    ):
        trace = order(gateway)
        spans = jaeger.trace(trace.trace_id, names={LAST, "POST /orders/{item}"})
    check(spans, trace)
    stored, _ = stored_by_the_platform(nats_url, tmp_path / "platform")
    assert shape(spans) == shape(stored)
