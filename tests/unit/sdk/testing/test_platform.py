import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

from homeostat.exceptions import ExpectationFailed, SettingInvalid
from homeostat.testing.platform import Platform, new_trace, spans_of

TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(name: str, number: int, parent: int = 0) -> dict[str, Any]:
    """Return a span as OTLP JSON has it."""
    told = {"traceId": TRACE, "spanId": f"{number:016x}", "name": name, "endTimeUnixNano": str(number)}
    return told | ({"parentSpanId": f"{parent:016x}"} if parent else {})


def document(*spans: dict[str, Any]) -> dict[str, Any]:
    """Return spans of one service."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "lib"}, "spans": [*spans]}]}]}


class Told:
    """Be a platform that gives these answers, the last one again and again."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        """Give these."""
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str]]] = []
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                status, body = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def endpoint(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self) -> Self:
        """Start."""
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


COMPLETE = document(span("root", 1), span("child", 2, 1))
NOT_FOUND = {"detail": "find the trace"}


@pytest.fixture
def patient() -> Iterator[Told]:
    """Return a platform that has the trace only after a while."""
    with Told(
        (404, NOT_FOUND), (503, b"busy"), (200, document(span("child", 2, 1), span("late", 4, 3))), (200, COMPLETE)
    ) as told:
        yield told


def test_a_trace_is_given_when_it_is_complete(patient: Told) -> None:
    """Not before it is found, and not while spans in the middle of it are missing."""
    spans = Platform(patient.endpoint).trace(TRACE)
    assert spans.names == ["root", "child"]
    spans.assert_span("child", parent="root", service="orders")
    assert patient.asked[0][0] == f"/api/v1/traces/{TRACE}"
    assert len(patient.asked) == 4


def test_what_comes_last_can_be_named() -> None:
    """By name or by number: a trace that looks complete may not be."""
    partial, whole = document(span("root", 1)), COMPLETE
    for wanted in ({"names": ["child"]}, {"spans_min": 2}):
        with Told((200, partial), (200, whole)) as told:
            assert len(Platform(told.endpoint).trace(TRACE, **wanted)) == 2


def test_a_parent_outside_is_the_tests_own() -> None:
    """All that hang from it are the top of the trace."""
    with Told((200, document(span("a", 1, 9), span("b", 2, 9)))) as told:
        assert Platform(told.endpoint).trace(TRACE).roots.names == ["a", "b"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, NOT_FOUND), "404: find the trace"),
        ((503, b"<html>"), "503: b'<html>'"),
        ((200, document(span("a", 1, 8), span("b", 2, 9))), "parents are missing: 0000000000000008, 0000000000000009"),
        ((200, COMPLETE), "it has no span 'last'"),
    ],
)
def test_a_trace_that_does_not_come_is_told_with_what_is_there(answer: tuple[int, Any], said: str) -> None:
    """Neither the time-out nor what was seen has to be guessed."""
    with Told(answer) as told, pytest.raises(ExpectationFailed) as failed:
        Platform(told.endpoint).trace(TRACE, names=["last"] if answer[1] is COMPLETE else [], timeout_s=0.1)
    assert f"was not complete after 0.1 s: {said}" in str(failed.value)
    assert ("It has 2 spans:" in str(failed.value)) is (answer[0] == 200)


def test_too_few_spans_are_counted() -> None:
    """The error says how many there are."""
    with Told((200, COMPLETE)) as told, pytest.raises(ExpectationFailed, match="it has 2 of 3 spans"):
        Platform(told.endpoint).trace(TRACE, spans_min=3, timeout_s=0.01)


def test_a_refusal_is_not_waited_for() -> None:
    """A key that is not valid will not become so."""
    with Told((401, {"detail": "no key"})) as told:
        with pytest.raises(ExpectationFailed, match=r"refuses to give trace .*: 401: no key"):
            Platform(told.endpoint).trace(TRACE)
        assert len(told.asked) == 1


def test_a_platform_that_is_not_there_is_told() -> None:
    """With its address and the reason."""
    with Told((200, COMPLETE)) as told:
        endpoint = told.endpoint
    with pytest.raises(ExpectationFailed, match=r"127\.0\.0\.1.* does not answer \(.*refused"):
        Platform(endpoint).trace(TRACE, timeout_s=0.1)


def test_key_and_tenant_are_sent() -> None:
    """As the API asks for them."""
    with Told((200, COMPLETE)) as told:
        Platform(told.endpoint, key="hs_1", tenant="acme").trace(TRACE)
        headers = told.asked[0][1]
    assert (headers["authorization"], headers["x-scope-orgid"]) == ("Bearer hs_1", "acme")


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "file:///etc/passwd", "http://", ""])
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    """Before anything is asked."""
    with pytest.raises(SettingInvalid):
        Platform(endpoint)


def test_a_new_trace_is_sampled_by_whoever_gets_it() -> None:
    """Its headers are W3C Trace Context; each is another."""
    one, other = new_trace(), new_trace()
    assert one.headers == {"traceparent": f"00-{one.trace_id}-{one.span_id}-01"}
    assert one.trace_id != other.trace_id


def test_every_kind_of_value_is_read() -> None:
    """As OTLP JSON writes them: integers as text, bytes in base 64, NaN by name."""
    values = {
        "text": {"stringValue": "t"},
        "integer": {"intValue": "9007199254740993"},
        "number": {"doubleValue": 0.5},
        "infinite": {"doubleValue": "Infinity"},
        "flag": {"boolValue": False},
        "bytes": {"bytesValue": "YWI="},
        "list": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "x"}]}},
        "map": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}},
        "nothing": {},
    }
    full = span("a", 1) | {
        "kind": 5,
        "status": {"code": 2, "message": "boom"},
        "traceState": "ot=th:8",
        "attributes": [{"key": key, "value": value} for key, value in values.items()],
        "events": [{"name": "e", "timeUnixNano": "3", "attributes": [{"key": "k", "value": {"intValue": "1"}}]}],
        "links": [{"traceId": TRACE, "spanId": f"{7:016x}"}],
    }
    [read] = spans_of(document(full))
    assert read.attributes == {
        "text": "t",
        "integer": 9007199254740993,
        "number": 0.5,
        "infinite": float("inf"),
        "flag": False,
        "bytes": b"ab",
        "list": [1, "x"],
        "map": {"k": True},
        "nothing": None,
    }
    assert (read.kind, read.status, read.status_message, read.weight) == ("consumer", "error", "boom", 2.0)
    assert (read.events[0].name, read.events[0].time_ns, read.events[0].attributes) == ("e", 3, {"k": 1})
    assert read.links[0].span_id == f"{7:016x}"
    assert (read.service, read.scope, read.parent_id) == ("orders", "lib", None)


def test_an_empty_document_has_no_spans() -> None:
    """It is one, too."""
    assert len(spans_of({})) == 0
