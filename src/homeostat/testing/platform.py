"""Trace-based testing: assert on a trace as a running platform has received it.

A test begins a trace, sends its id along with a request, and asks the platform for what became of it in all services.
It knows the platform's API only: `GET /api/v1/traces/{id}`, which answers with OTLP JSON.
"""

import json
import ssl
import time
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from secrets import randbits
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from homeostat.exceptions import ExpectationFailed, SettingInvalid
from homeostat.testing.recorded import Kind, RecordedEvent, RecordedLink, RecordedSpan, Status
from homeostat.testing.spans import Spans

ENDPOINT: Final = "http://127.0.0.1:4318"
TIMEOUT_S: Final = 30.0
"""Until a trace is complete: longer than services wait before they send (5 s) and than a busy platform needs."""

_ASK_S: Final = 10.0
_PAUSE_S: Final = (0.05, 0.1, 0.2, 0.4)
_BODY_BYTES_MAX: Final = 256 * 1024 * 1024
_RETRIED: Final = frozenset({404, 429, 502, 503, 504})
"""The trace is not there yet, or the platform cannot answer now; everything else will not change by waiting."""

_KINDS: Final[tuple[Kind, ...]] = ("internal", "internal", "server", "client", "producer", "consumer")
_STATUSES: Final[tuple[Status, ...]] = ("unset", "ok", "error")


@dataclass(frozen=True, slots=True)
class NewTrace:
    """Hold a trace that a test begins.

    Attributes:
        trace_id: its id, 32 hexadecimal digits.
        span_id: the span of the test itself, of which what it calls is a child; it is not recorded.
    """

    trace_id: str
    span_id: str

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers to send: W3C Trace Context, sampled, so that services keep it whatever their ratio."""
        return {"traceparent": f"00-{self.trace_id}-{self.span_id}-01"}


def new_trace() -> NewTrace:
    """Begin a trace with random ids."""
    return NewTrace(f"{randbits(128) or 1:032x}", f"{randbits(64) or 1:016x}")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes

    def said(self) -> str:
        """Return what a platform says about an answer that is not the trace."""
        try:
            return f"{self.status}: {json.loads(self.body)['detail']}"
        except (ValueError, KeyError, TypeError):
            return f"{self.status}: {self.body[:200]!r}"


class Platform:
    """Ask a running platform for traces."""

    def __init__(self, endpoint: str = ENDPOINT, *, key: str = "", tenant: str = "", certificate: str = "") -> None:
        """Ask here.

        Args:
            endpoint: scheme, host and port, `http://127.0.0.1:4318`.
            key: an API key with the scope `read`, where the platform has keys; it decides the tenant.
            tenant: whose traces, where it has none.
            certificate: a file with the authority that signed the platform's certificate; "" for the system's.

        Raises:
            SettingInvalid: the endpoint is no such address.
        """
        if urlsplit(endpoint).scheme not in {"http", "https"} or not urlsplit(endpoint).hostname:
            raise SettingInvalid("ask a platform", value=endpoint, hint=f"Write its address as {ENDPOINT}")
        self._endpoint = endpoint.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        if tenant:
            self._headers["X-Scope-OrgID"] = tenant
        trust = ssl.create_default_context(cafile=certificate or None)
        # A platform under test is near: a proxy of the machine would not find it.
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=trust))

    def trace(
        self, trace_id: str, *, names: Collection[str] = (), spans_min: int = 1, timeout_s: float = TIMEOUT_S
    ) -> Spans:
        """Return a trace as soon as it is complete.

        Complete is a trace in which no parent is missing but the one outside of all (the test's own), which has so many
        spans, and spans of these names. Services send every few seconds, so name what comes last.

        Args:
            trace_id: 32 hexadecimal digits.
            names: names of spans that belong to it.
            spans_min: how many spans it has at least.
            timeout_s: how long to wait.

        Raises:
            ExpectationFailed: it is not complete in time, or the platform refuses; the text shows what is there.
        """
        deadline_s = time.monotonic() + timeout_s
        pauses = _pauses()
        while True:
            spans, said = self._ask(trace_id)
            missing = _missing(spans, names=names, spans_min=spans_min) if spans else said
            if not missing:
                return spans
            pause_s = next(pauses)
            if time.monotonic() + pause_s > deadline_s:
                shown = f"\nIt has {len(spans)} spans:\n{spans.tree()}" if spans else ""
                raise ExpectationFailed(f"Trace {trace_id} was not complete after {timeout_s:g} s: {missing}.{shown}")
            time.sleep(pause_s)

    def _ask(self, trace_id: str) -> tuple[Spans, str]:
        """Return what is there now, or what was said instead."""
        try:
            answer = self._get(f"{self._endpoint}/api/v1/traces/{trace_id}")
        except (URLError, HTTPException, OSError) as error:
            return Spans(), f"{self._endpoint} does not answer ({getattr(error, 'reason', error)})"
        if answer.status == 200:
            return spans_of(json.loads(answer.body)), ""
        if answer.status in _RETRIED:
            return Spans(), answer.said()
        raise ExpectationFailed(f"{self._endpoint} refuses to give trace {trace_id}: {answer.said()}")

    def _get(self, url: str) -> _Answer:
        # The scheme was checked when the address was given.
        request = Request(url, headers=self._headers)  # noqa: S310 - the same
        try:
            with self._opener.open(request, timeout=_ASK_S) as response:
                return _Answer(response.status, response.read(_BODY_BYTES_MAX))
        except HTTPError as error:
            with error:
                return _Answer(error.code, error.read(_BODY_BYTES_MAX))


def _pauses() -> Iterator[float]:
    yield from _PAUSE_S
    while True:
        yield _PAUSE_S[-1]


def _missing(spans: Spans, *, names: Collection[str], spans_min: int) -> str:
    """Return what a trace lacks to be complete, nothing when it lacks nothing."""
    absent = sorted(set(names) - set(spans.names))
    if absent:
        return f"it has no span {', '.join(map(repr, absent))}"
    if len(spans) < spans_min:
        return f"it has {len(spans)} of {spans_min} spans"
    outside = {span.parent_id for span in spans.roots}
    return f"parents are missing: {', '.join(sorted(map(str, outside)))}" if len(outside) > 1 else ""


def spans_of(document: Mapping[str, Any]) -> Spans:
    """Return the spans of an OTLP JSON document (`TracesData`), ordered by their end."""
    found = [
        _span(span, service=str(_attributes(resource.get("resource", {})).get("service.name", "")), scope=scope)
        for resource in document.get("resourceSpans", ())
        for scope in resource.get("scopeSpans", ())
        for span in scope.get("spans", ())
    ]
    return Spans(sorted(found, key=lambda span: span.end_ns))


def _span(span: Mapping[str, Any], *, service: str, scope: Mapping[str, Any]) -> RecordedSpan:
    status = span.get("status", {})
    return RecordedSpan(
        name=span.get("name", ""),
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId") or None,
        kind=_KINDS[span.get("kind", 0)],
        status=_STATUSES[status.get("code", 0)],
        status_message=status.get("message", ""),
        attributes=_attributes(span),
        events=tuple(
            RecordedEvent(event.get("name", ""), _attributes(event), int(event.get("timeUnixNano", 0)))
            for event in span.get("events", ())
        ),
        links=tuple(RecordedLink(link["traceId"], link["spanId"], _attributes(link)) for link in span.get("links", ())),
        start_ns=int(span.get("startTimeUnixNano", 0)),
        end_ns=int(span.get("endTimeUnixNano", 0)),
        service=service,
        scope=scope.get("scope", {}).get("name", ""),
        trace_state=span.get("traceState", ""),
    )


def _attributes(holder: Mapping[str, Any]) -> dict[str, object]:
    return {pair["key"]: _value(pair.get("value", {})) for pair in holder.get("attributes", ())}


def _value(value: Mapping[str, Any]) -> object:
    """Return an OTLP `AnyValue`; JSON has 64-bit integers as text, and bytes in base 64."""
    for kind, said in value.items():
        return _READ[kind](said) if kind in _READ else said
    return None


_READ: Final[Mapping[str, Callable[[Any], object]]] = {
    "intValue": int,
    "doubleValue": float,
    "bytesValue": b64decode,
    "arrayValue": lambda said: [_value(member) for member in said.get("values", ())],
    "kvlistValue": lambda said: {pair["key"]: _value(pair.get("value", {})) for pair in said.get("values", ())},
}
