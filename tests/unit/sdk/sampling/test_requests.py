"""Sampling under the SDK's own middleware: what a service sends, and what its numbers come to."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import StatusCode

from homeostat.propagation import PropagationConfig, Propagator
from homeostat.sampling import Sampling, SamplingConfig, TailConfig, parse_rules, weight
from homeostat.tracing.asgi import AsgiTracing
from homeostat.tracing.provider import LeanProvider, build_provider
from tests.sampled_spans import Arrived, SeededIds

REQUESTS = 3_000
FAILING = 10
"""One request in so many fails."""


class Service:
    """Be a service: every request makes a span of its own, and some fail."""

    def __init__(self, config: SamplingConfig) -> None:
        """Trace it with this sampling."""
        self.sampling = Sampling(config)
        self.arrived = Arrived()
        self.provider: LeanProvider = build_provider(
            resource=Resource({}),
            sampler=self.sampling.sampler,
            processors=[self.sampling.tail(self.arrived)],
            keeps=self.sampling.keeps,
            identifiers=SeededIds(11),
        )
        self._traced = AsgiTracing(self._app, propagator=Propagator(PropagationConfig()), tracer_provider=self.provider)
        self.asked: Counter[tuple[str, bool]] = Counter()

    async def _app(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        del receive
        failing = scope["failing"]
        with self.provider.get_tracer("homeostat").start_as_current_span("price"):
            await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 500 if failing else 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask(self, path: str, *, failing: bool, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Make one request."""
        self.asked[path, failing] += 1
        scope = {"type": "http", "method": "GET", "path": path, "headers": [*headers], "failing": failing}

        async def send(_: object) -> None:
            pass

        await self._traced(scope, None, send)  # type: ignore[arg-type]  # nobody receives

    def counted(self) -> Counter[tuple[str, bool]]:
        """Return the sum of weights of requests, by path and whether they failed."""
        found: defaultdict[tuple[str, bool], float] = defaultdict(float)
        for span in self.arrived.spans:
            if span.name != "price":
                said = span.attributes or {}
                key = (str(said["url.path"]), said["http.response.status_code"] == 500)
                found[key] += weight(span.context.trace_state) or 0
        return Counter({key: round(value) for key, value in found.items()})


@pytest.mark.parametrize("tail", [None, TailConfig(), TailConfig(spans_max=20)])
async def test_rates_of_requests_and_errors_are_right(tail: TailConfig | None) -> None:
    """Every failed request is there and counts once; the others add up to what there was, by route, at any ratio."""
    rules = parse_rules("GET /health=0.05; /pay=1")
    service = Service(SamplingConfig(ratio=0.1, rules=rules, tail=tail))
    for number in range(REQUESTS):
        path = ("/orders", "/health", "/pay")[number % 3]
        await service.ask(path, failing=number % FAILING == 0)
    service.sampling.shutdown()
    counted = service.counted()
    for (path, failing), count in service.asked.items():
        ratio = {"/orders": 0.1, "/health": 0.05, "/pay": 1.0}[path]
        if failing or ratio == 1.0:
            assert counted[path, failing] == count
        else:
            assert abs(counted[path, failing] - count) <= 5 * (count * (1 / ratio - 1)) ** 0.5
    assert len(service.arrived.spans) < REQUESTS


@pytest.mark.parametrize("ending", ["handled", "failed", "failed, then well", "raised"])
def test_what_is_kept_for_its_own_sake_does_not_depend_on_the_lot(ending: str) -> None:
    """A span that the lot refused ends as one that it gave: kept with the same status, or not kept for its own sake."""
    kept: list[set[tuple[str, float | None]]] = []
    for ratio in (0.0, 1.0):
        service = Service(SamplingConfig(ratio=ratio))
        tracer = service.provider.get_tracer("homeostat")
        with suppress(ValueError), tracer.start_as_current_span("work") as span:
            if ending == "handled":
                span.record_exception(ValueError("caught"))
            if ending.startswith("failed"):
                span.set_status(StatusCode.ERROR)
            if ending.endswith("well"):
                span.set_status(StatusCode.OK)
            if ending == "raised":
                raise ValueError(ending)
        kept.append(
            {(span.status.status_code.name, weight(span.context.trace_state)) for span in service.arrived.spans}
        )
    refused, given = kept
    assert refused == ({("ERROR", 1.0)} if ending in {"failed", "raised"} else set())
    assert given == ({("ERROR", 1.0)} if refused else {("OK" if ending.endswith("well") else "UNSET", 1.0)})


async def test_a_caller_that_is_sampled_is_followed() -> None:
    """Its threshold goes on as this span's weight; one that is not sampled is followed too, but for errors."""
    service = Service(SamplingConfig(ratio=0.0))
    trace = b"f" * 32
    for flag, state in ((b"01", b"ot=th:c,vendor=x"), (b"00", b"vendor=x")):
        headers = ((b"traceparent", b"00-" + trace + b"-00000000000000aa-" + flag), (b"tracestate", state))
        await service.ask("/orders", failing=False, headers=headers)
        await service.ask("/orders", failing=True, headers=headers)
    requests = [span for span in service.arrived.spans if span.name != "price"]
    assert [span.context.trace_state.to_header() for span in requests] == [
        "ot=th:c,vendor=x",
        "ot=th:0,vendor=x",
        "ot=th:0,vendor=x",
    ]
    assert {f"{span.context.trace_id:032x}" for span in requests} == {trace.decode()}
    assert all(span.context.trace_flags.sampled for span in requests)
