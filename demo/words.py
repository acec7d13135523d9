"""What the demo says to the person who started it, as lines. It asks and starts nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from demo.platform_process import GRPC_PORT, HTTP_PORT, Platform
from demo.proof import ITEMS, Asked, Proof
from demo.questions import Samples
from demo.service_processes import Service
from demo.services.roles import SHOP, STOCK
from demo.traffic import Tally

_SIGNALS = (("traces", "spans"), ("logs", "log records"), ("metrics", "metric points"))


def platform_lines(platform: Platform, *, folder: Path, keeps: bool) -> Iterator[str]:
    """Yield where the platform is."""
    if platform.is_elsewhere:
        yield f"Port {HTTP_PORT} or {GRPC_PORT} is in use, so the platform listens on free ones."
    end = "kept at the end" if keeps else "removed at the end"
    yield f"  platform  {platform.http_url}   OTLP/HTTP and API; OTLP/gRPC on {platform.grpc_url}"
    yield f"  data      {folder / 'data'}   {end}"


def service_lines(services: Sequence[Service], *, rate: float) -> Iterator[str]:
    """Yield where the services are and how they send."""
    for service in services:
        asks = f", asks {service.role.asks}" if service.role.asks else ""
        yield f"  {service.role.name:<9} {service.url}   FastAPI{asks}; sends {service.role.protocol}"
    yield f"  traffic   {rate:g} requests a second to {SHOP.name}, some slow, some failing on purpose"


def look_lines(url: str, *, trace_id: str, duration_s: float) -> Iterator[str]:
    """Yield what to look at, as commands that can be pasted into another terminal."""
    yield ""
    yield "Look at it from another terminal:"
    yield f"  services    curl '{url}/api/v1/services'"
    yield f"  operations  curl '{url}/api/v1/services/{STOCK.name}/operations'"
    yield f"  errors      curl '{url}/api/v1/traces?service={SHOP.name}&status=error&limit=5'"
    yield f"  one trace   curl '{url}/api/v1/traces/{trace_id}'"
    yield f"  its logs    curl '{url}/api/v1/logs?trace_id={trace_id}'"
    yield f"  map         curl '{url}/api/v1/service-map'"
    yield f"  what broke  curl '{url}/api/v1/error-correlation'"
    yield f"  TraceQL     curl '{url}/api/v1/traceql?query=%7Bstatus%3Derror%7D'"
    yield f"  metrics     curl '{url}/api/v1/metrics?service={STOCK.name}'"
    yield f"  the API     {url}/docs"
    yield ""
    yield f"It stops by itself after {duration_s:g} s; Ctrl-C stops it earlier." if duration_s else "Ctrl-C stops it."


def progress_line(tally: Tally, samples: Samples, *, elapsed_s: float, duration_s: float) -> str:
    """Return how far it is."""
    of = f" of {duration_s:g}" if duration_s else ""
    spans, records, points = (f"{_accepted(samples, signal):,}" for signal, _ in _SIGNALS)
    return f"{elapsed_s:.0f}{of} s: {tally.sent:,} requests; ingested {spans} spans, {records} logs, {points} points"


def summary_lines(tally: Tally, proof: Proof) -> Iterator[str]:
    """Yield what was sent, ingested and answered, and what is missing."""
    yield ""
    yield f"Sent      {tally.sent:,} requests, {tally.failed:,} of them failed on purpose"
    yield "Ingested"
    for signal, noun in _SIGNALS:
        refused = proof.samples.total(ITEMS, signal=signal, outcome="rejected")
        yield f"  {_accepted(proof.samples, signal):>7,} {noun}, {refused:,.0f} refused"
    yield "Answered"
    yield from map(_asked_line, proof.asked)
    if proof.missing:
        yield "Missing"
        yield from (f"  - {sentence}" for sentence in proof.missing)
    else:
        yield "Everything is there."


def kept_line(folder: Path) -> str:
    """Return how to look at the data again."""
    return f"The data is kept; look at it again with: homeostat up --data {folder / 'data'}"


def _accepted(samples: Samples, signal: str) -> int:
    return int(samples.total(ITEMS, signal=signal, outcome="accepted"))


def _asked_line(asked: Asked) -> str:
    answer = asked.answer
    return f"  {answer.status:>3}  {asked.count:>5,} {asked.noun:<11} {answer.duration_ms:>6.0f} ms  GET {answer.path}"
