"""Every route of Jaeger's query API, asked about the fixed set of traces, failures included."""

import json
from typing import Any, Final
from urllib.parse import urlencode

from tests.peers.questions import Question
from tests.peers.traces import CHECKOUT, CONSUME, ORPHAN, PUBLISH, SHORT, SKEWED, START_NS, UNKNOWN

_START_US: Final = START_NS // 1_000
_END_US: Final = _START_US + 600_000_000
_WINDOW: Final = {"start": _START_US - 1_000_000, "end": _END_US}
_V3_WINDOW: Final = {
    "query.start_time_min": "2025-12-31T23:59:59Z",
    "query.start_time_max": "2026-01-01T00:10:00.000000000Z",
}


def _asked(route: str, **values: object) -> str:
    return f"{route}?{urlencode(values, doseq=True)}" if values else route


def _search(name: str, **values: object) -> Question:
    return Question(name=f"search: {name}", path=_asked("/api/traces", **_WINDOW, **values))


def _found(name: str, **values: object) -> Question:
    asked = {**_V3_WINDOW, "query.num_traces": 20, **values}
    return Question(name=f"v3 search: {name}", path=_asked("/api/v3/traces", **asked))


_LISTS: Final = [
    Question(name="services", path="/api/services"),
    *(
        Question(name=f"operations of {service}", path=f"/api/services/{service}/operations")
        for service in ("edge", "checkout", "payment", "mailer", "nobody", "with%20space%2Fslash")
    ),
    Question(name="operations with kinds", path="/api/operations?service=checkout"),
    Question(name="operations of a kind", path="/api/operations?service=checkout&spanKind=client"),
    Question(name="operations of an unknown kind", path="/api/operations?service=checkout&spanKind=strange"),
    Question(name="operations without a service", path="/api/operations"),
]

_TRACES: Final = [
    *(
        Question(name=f"trace {name}", path=f"/api/traces/{trace_id}")
        for name, trace_id in {
            "checkout": CHECKOUT,
            "publish": PUBLISH,
            "consume": CONSUME,
            "orphan": ORPHAN,
            "short": SHORT,
            "short without zeros": SHORT.lstrip("0"),
            "skewed": SKEWED,
            "in capitals": CHECKOUT.upper(),
            "unknown": UNKNOWN,
            "not hexadecimal": "nothing",
            "too long": "1" * 33,
            "of zeros": "0" * 32,
        }.items()
    ),
    Question(name="trace raw", path=f"/api/traces/{SKEWED}?raw=true"),
    Question(name="trace raw of no boolean", path=f"/api/traces/{SKEWED}?raw=maybe"),
    Question(name="trace pretty", path=f"/api/traces/{SHORT}?prettyPrint=true"),
    Question(name="trace with a window", path=f"/api/traces/{SHORT}?start={_START_US}&end={_END_US}"),
    Question(name="trace with no time", path=f"/api/traces/{SHORT}?start=yesterday"),
    Question(name="archive", path=f"/api/archive/{SHORT}", method="POST"),
    Question(name="archive of an unknown trace", path=f"/api/archive/{UNKNOWN}", method="POST"),
]

_SEARCHES: Final = [
    _search("service", service="payment"),
    _search("service of nobody", service="nobody"),
    _search("operation", service="checkout", operation="POST /orders"),
    _search("operation that is not there", service="checkout", operation="GET /"),
    _search("tags of a text", service="mailer", tags=json.dumps({"customer": "acme"})),
    _search("tags of a number", service="edge", tags=json.dumps({"http.response.status_code": "502"})),
    _search("tags of a text that is a number", service="mailer", tags=json.dumps({"http.status_code": "200"})),
    _search("tags of an error", service="payment", tags=json.dumps({"error": "true"})),
    _search("tags of a kind", service="checkout", tags=json.dumps({"span.kind": "producer"})),
    _search("tags of a process", service="checkout", tags=json.dumps({"host.name": "checkout-1"})),
    _search("tags of a log", service="payment", tags=json.dumps({"exception.type": "CardDeclined"})),
    _search("tags, two of one span", service="checkout", tags=json.dumps({"yes": "true", "integer": "42"})),
    _search("tags, one of which no span has", service="checkout", tags=json.dumps({"yes": "true", "integer": "43"})),
    _search("tag", service="mailer", tag="customer:acme"),
    _search("tag with a colon in its value", service="checkout", tag="key:cart:17"),
    _search("tag without a value", service="mailer", tag="customer"),
    _search("tags that are no JSON", service="mailer", tags="customer=acme"),
    _search("tags that are no texts", service="mailer", tags='{"customer": 7}'),
    _search("least duration", service="edge", minDuration="1s"),
    _search("most duration", service="mailer", maxDuration="1ms"),
    _search("durations the wrong way round", service="edge", minDuration="2s", maxDuration="1s"),
    _search("duration without a unit", service="edge", minDuration="100"),
    _search("duration that is none", service="edge", minDuration="long"),
    _search("duration of a long unit", service="edge", minDuration="1d"),
    _search("limit", service="payment", limit=1),
    _search("limit that is none", service="checkout", limit="many"),
    _search("ids", traceID=[SHORT, ORPHAN]),
    _search("ids, one unknown", traceID=[SHORT, UNKNOWN]),
    _search("id that is none", traceID="nothing"),
    _search("without a service"),
    _search("as the UI asks", service="checkout", limit=20, lookback="1h", maxDuration="", minDuration=""),
    Question(
        name="search: a window with nothing in it",
        path=_asked("/api/traces", service="edge", start=_END_US, end=_END_US + 1_000),
    ),
    Question(name="search: no time", path=_asked("/api/traces", service="edge", start="yesterday")),
    Question(name="search: end of no time", path=_asked("/api/traces", service="edge", end="1.5")),
]

_OTHERS: Final = [
    Question(name="dependencies", path=_asked("/api/dependencies", endTs=_END_US // 1_000, lookback=3_600_000)),
    Question(
        name="dependencies of a service",
        path=_asked("/api/dependencies", endTs=_END_US // 1_000, lookback=3_600_000, service="payment"),
    ),
    Question(
        name="dependencies of nothing", path=_asked("/api/dependencies", endTs=_START_US // 1_000, lookback=1_000)
    ),
    Question(name="dependencies, end of no time", path=_asked("/api/dependencies", endTs="now", lookback=1_000)),
    Question(name="dependencies, lookback of no time", path=_asked("/api/dependencies", endTs=1, lookback="1h")),
    *(
        Question(name=f"metrics: {kind}", path=_asked(f"/api/metrics/{kind}", **values))
        for kind, values in {
            "latencies": {"service": "checkout", "quantile": 0.95, "endTs": _END_US // 1_000, "lookback": 3_600_000},
            "calls": {"service": "checkout", "endTs": _END_US // 1_000, "lookback": 3_600_000},
            "errors": {"service": "checkout", "endTs": _END_US // 1_000, "lookback": 3_600_000},
            "minstep": {},
        }.items()
    ),
    Question(name="no route", path="/api/nothing"),
    Question(name="not with this method", path="/api/services", method="POST"),
]

_V3: Final = [
    Question(name="v3 services", path="/api/v3/services"),
    Question(name="v3 operations", path="/api/v3/operations?service=checkout"),
    Question(name="v3 operations of a kind", path="/api/v3/operations?service=checkout&span_kind=client"),
    Question(name="v3 operations without a service", path="/api/v3/operations"),
    *(
        Question(name=f"v3 trace {name}", path=f"/api/v3/traces/{trace_id}")
        for name, trace_id in {
            "checkout": CHECKOUT,
            "consume": CONSUME,
            "short": SHORT,
            "skewed": SKEWED,
            "unknown": UNKNOWN,
            "not hexadecimal": "nothing",
        }.items()
    ),
    Question(name="v3 trace raw", path=f"/api/v3/traces/{SKEWED}?raw_traces=true"),
    Question(name="v3 trace raw of no boolean", path=f"/api/v3/traces/{SKEWED}?raw_traces=maybe"),
    Question(name="v3 trace with no time", path=f"/api/v3/traces/{SKEWED}?start_time=yesterday"),
    _found("service", **{"query.service_name": "mailer"}),
    _found("service of nobody", **{"query.service_name": "nobody"}),
    _found("operation", **{"query.service_name": "mailer", "query.operation_name": "tick"}),
    _found("durations", **{"query.service_name": "mailer", "query.duration_max": "1ms"}),
    _found("limit", **{"query.service_name": "payment", "query.num_traces": 1}),
    _found("limit that is none", **{"query.service_name": "checkout", "query.num_traces": "many"}),
    _found("duration that is none", **{"query.service_name": "checkout", "query.duration_min": "long"}),
    Question(name="v3 search: without a window", path="/api/v3/traces?query.service_name=mailer"),
    Question(
        name="v3 search: no time",
        path=_asked(
            "/api/v3/traces",
            **{
                "query.service_name": "mailer",
                "query.start_time_min": "yesterday",
                "query.start_time_max": "2026-01-01T00:10:00Z",
            },
        ),
    ),
]

QUESTIONS: Final = [*_LISTS, *_TRACES, *_SEARCHES, *_OTHERS, *_V3]


def normal(body: Any) -> Any:  # noqa: ANN401 - any document
    """Return an answer in one order: Jaeger keeps services, operations, traces and tags in maps."""
    if isinstance(body, list):
        return sorted((normal(item) for item in body), key=lambda item: json.dumps(item, sort_keys=True))
    if not isinstance(body, dict):
        return body
    if "processes" in body:
        return _normal_trace(body)
    return {key: normal(value) for key, value in body.items()}


def _normal_trace(trace: dict[str, Any]) -> dict[str, Any]:
    """Return a trace with its processes under the services' names; their numbers are given out in any order."""
    processes = {key: normal(process) for key, process in trace["processes"].items()}
    spans = [{**span, "processID": processes[span["processID"]]} for span in trace["spans"]]
    return {**trace, "processes": normal(list(processes.values())), "spans": normal(spans)}
