import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from homeostat.export.outcomes import Outcome, Verdict, cut, outcome_of_http, retry_after_s, taken

NOW_S = 1_000_000.0


def outcome(status: int, body: bytes = b"", retry_after: str | None = None) -> Outcome:
    """Return what an answer means at a certain time."""
    return outcome_of_http(status, body, retry_after=retry_after, wall_s=lambda: NOW_S)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.TAKEN),
        (202, Verdict.TAKEN),
        *((status, Verdict.NOT_NOW) for status in (429, 502, 503, 504)),
        *((status, Verdict.REFUSED) for status in (301, 400, 401, 403, 404, 408, 413, 415, 500, 501)),
    ],
)
def test_only_the_four_statuses_of_otlp_are_tried_again(status: int, verdict: Verdict) -> None:
    """All others that are no success are final."""
    assert outcome(status).verdict is verdict


@pytest.mark.parametrize(
    "body",
    [
        ExportTraceServiceResponse(
            partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
        ).SerializeToString(),
        ExportLogsServiceResponse(
            partial_success=ExportLogsPartialSuccess(rejected_log_records=3, error_message="too old")
        ).SerializeToString(),
    ],
)
def test_a_partial_success_says_how_many_and_why(body: bytes) -> None:
    """Every signal's answer has the same fields."""
    assert outcome(200, body) == Outcome(
        verdict=Verdict.TAKEN, reason="refused_partly", message="too old", refused_items=3
    )


def test_a_warning_refuses_nothing() -> None:
    """A message without a number is for people."""
    said = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(error_message="slow down"))
    assert taken(said.SerializeToString()) == Outcome(verdict=Verdict.TAKEN, message="slow down")
    negative = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=-3))
    assert taken(negative.SerializeToString()).refused_items == 0


@pytest.mark.parametrize("body", [b"", b"OK", b"\x0a\xff", b"\x10\x01", b"\x08\x01", b"\x0a\x02\x10\x01"])
def test_a_success_is_one_whatever_its_body_is(body: bytes) -> None:
    """Proxies write all kinds of things."""
    assert taken(body) == Outcome(verdict=Verdict.TAKEN)


def test_a_refusal_says_what_the_backend_said() -> None:
    """A status of google.rpc, or the text of a proxy; nothing of what is neither."""
    assert outcome(400, Status(code=3, message="no such field").SerializeToString()).message == "no such field"
    assert outcome(413, b"<h1>too\n large</h1>").message == "<h1>too large</h1>"
    assert outcome(400, b"\x12\x01\xff").message == ""
    assert outcome(400, b"\xff\xfe").message == ""
    assert outcome(400, b"x" * 1000).message == "x" * 200 + "…"
    assert outcome(400).reason == "http_400"
    assert cut("short") == "short"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Mon, 12 Jan 1970 13:46:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("99999999999", 3600.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str | None, seconds: float | None) -> None:
    """What is neither is not there, and nobody is waited for longer than an hour."""
    assert retry_after_s(value, wall_s=lambda: NOW_S) == seconds
