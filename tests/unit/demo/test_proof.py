import copy
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from demo.proof import Proof, Sent, prove
from demo.questions import Asking
from demo.services.roles import ROLES

TRACE_ID = "5b8efff798038103d269b633813fc60c"
NAMES = [role.name for role in ROLES]
SENT = Sent(began="1", trace_ids=[TRACE_ID, "ab" * 16], whole_trace_id=TRACE_ID)
COUNTS = """
# TYPE homeostat_ingest_items_total counter
homeostat_ingest_items_total{signal="traces",outcome="accepted"} 6
homeostat_ingest_items_total{signal="logs",outcome="accepted"} 2
homeostat_ingest_items_total{signal="metrics",outcome="accepted"} 9
# TYPE homeostat_ingest_requests_total counter
homeostat_ingest_requests_total{signal="traces",transport="http",outcome="accepted"} 3
"""


def resource_spans(service: str, *, span_id: str, parent: str) -> dict[str, Any]:
    """Return one span of a service in OTLP/JSON."""
    attributes = [{"key": "service.name", "value": {"stringValue": service}}]
    span = {"name": f"of {service}", "spanId": span_id, "parentSpanId": parent}
    return {"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [span]}]}


COMPLETE: dict[str, Any] = {
    "/metrics": COUNTS,
    "/health": {"status": "ok", "checks": {"spool": {"status": "ok"}}},
    "/api/v1/services": {"services": [{"name": name, "rate": 1.5, "spans": 2} for name in NAMES]},
    **{f"/api/v1/services/{name}/operations": {"operations": [{"name": "GET /"}]} for name in NAMES},
    "/api/v1/traces": {"traces": [{"trace_id": trace_id} for trace_id in SENT.trace_ids]},
    "/api/v1/service-map": {
        "edges": [{"caller": {"name": role.name}, "callee": {"name": role.asks}} for role in ROLES if role.asks]
    },
    f"/api/v1/traces/{TRACE_ID}": {
        "resourceSpans": [
            resource_spans("shop", span_id="1", parent=""),
            resource_spans("stock", span_id="2", parent="1"),
            resource_spans("pricing", span_id="3", parent="2"),
        ]
    },
    "/api/v1/logs": {"logs": [{"service": name, "trace_id": TRACE_ID} for name in ("stock", "pricing")]},
    "/api/v1/metrics": {"metrics": [{"name": name, "newest": {"flags": 0}} for role in ROLES for name in role.metrics]},
    "/api/v1/metrics/pricing.quotes": {"series": [{}]},
}


async def proof_of(documents: dict[str, Any], *, sent: Sent = SENT) -> Proof:
    """Return what is found on a platform that answers these documents by path."""

    def answer(request: httpx.Request) -> httpx.Response:
        document = documents.get(request.url.path, 404)
        if isinstance(document, int):
            return httpx.Response(document, json={"detail": "no such thing"})
        return httpx.Response(200, text=document) if isinstance(document, str) else httpx.Response(200, json=document)

    async with Asking("http://platform", transport=httpx.MockTransport(answer)) as asking:
        return await prove(asking, sent)


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return the complete documents after a change."""
    documents = copy.deepcopy(COMPLETE)
    change(documents)
    return documents


async def test_nothing_is_missing_when_everything_is_there() -> None:
    """Every kind of question is asked once."""
    proof = await proof_of(COMPLETE)
    assert proof.missing == ()
    assert [one.answer.path.partition("?")[0] for one in proof.asked] == [
        path for path in COMPLETE if path != "/metrics"
    ]
    assert all(one.count > 0 for one in proof.asked)


TRACE = f"/api/v1/traces/{TRACE_ID}"
CASES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a service": (lambda all_: all_["/api/v1/services"]["services"].pop(), "service pricing"),
    "a rate": (lambda all_: all_["/api/v1/services"]["services"][0].update(rate=0.0), "rate of service shop"),
    "readable spans": (
        lambda all_: all_["/api/v1/services"]["services"][0].update(spans=1),
        "spans: 6 were acknowledged, 5 are readable",
    ),
    "an edge": (lambda all_: all_["/api/v1/service-map"]["edges"].pop(), "edge from stock to pricing"),
    "operations": (lambda all_: all_["/api/v1/services/stock/operations"].update(operations=[]), "operations of stock"),
    "a visit's trace": (lambda all_: all_["/api/v1/traces"]["traces"].pop(), f"traces of 1 visits: {'ab' * 16}"),
    "a service's spans": (lambda all_: all_[TRACE]["resourceSpans"].pop(), "spans of pricing in a trace"),
    "a parent": (lambda all_: all_[TRACE]["resourceSpans"].pop(0), "parents in a trace of: of stock"),
    "log records": (lambda all_: all_["/api/v1/logs"]["logs"].pop(), "log records of pricing with a trace id"),
    "a trace id of a log record": (
        lambda all_: all_["/api/v1/logs"]["logs"][0].update(trace_id=""),
        "log records of stock with a trace id",
    ),
    "a metric": (lambda all_: all_["/api/v1/metrics"]["metrics"].pop(), "metric pricing.discount"),
    "a metric's value": (
        lambda all_: all_["/api/v1/metrics"]["metrics"][0].update(newest=None),
        "value of metric shop.orders",
    ),
    "series": (lambda all_: all_["/api/v1/metrics/pricing.quotes"].update(series=[]), "series of pricing.quotes"),
    "health": (
        lambda all_: all_.update({"/health": {"status": "degraded", "checks": {"spool": {"status": "failing"}}}}),
        "health: degraded (spool)",
    ),
    "a signal": (lambda all_: all_.update({"/metrics": COUNTS.replace('"logs"', '"other"')}), "ingested logs"),
    "refused items": (
        lambda all_: all_.update(
            {"/metrics": COUNTS.replace('traces",outcome="accepted"} 6', 'traces",outcome="rejected"} 6')}
        ),
        "traces: 6 items were refused",
    ),
    "refused exports": (
        lambda all_: all_.update(
            {"/metrics": COUNTS.replace('http",outcome="accepted"', 'http",outcome="overloaded"')}
        ),
        "exports: 3 ended as overloaded",
    ),
    "an answer": (
        lambda all_: all_.update({"/api/v1/logs": 503}),
        f"GET /api/v1/logs?trace_id={TRACE_ID} was answered 503: no such thing",
    ),
    "the form of an answer": (
        lambda all_: all_["/api/v1/services"]["services"][0].pop("rate"),
        "GET /api/v1/services?start=1 was answered in another form: KeyError('rate')",
    ),
}


@pytest.mark.parametrize("what", CASES)
async def test_what_is_missing_is_named(what: str) -> None:
    """Whatever is taken away from a complete platform is said."""
    change, sentence = CASES[what]
    assert sentence in (await proof_of(changed(change))).missing


async def test_visits_that_went_wrong_are_missing_too() -> None:
    """The services belong to what the demo shows."""
    sent = Sent(began="1", trace_ids=[], whole_trace_id=TRACE_ID, unexpected=["GET /cars: answered 500, not 200"])
    assert (await proof_of(COMPLETE, sent=sent)).missing == ("GET /cars: answered 500, not 200",)


async def test_a_platform_that_is_gone_is_told() -> None:
    """No answer at all is no traceback."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with Asking("http://platform", transport=httpx.MockTransport(refuse)) as asking:
        proof = await prove(asking, SENT)
    assert "GET /health was not answered: ConnectError('refused')" in proof.missing
