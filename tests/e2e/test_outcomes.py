import gzip
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import grpc
import pytest
import zstandard
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.model.signal import Signal
from tests import otlp
from tests.e2e.tenants import DAY_NS, Tenant, rejected
from tests.running import Platform, running

pytestmark = pytest.mark.e2e

YEAR_2200_NS = 7_258_118_400 * 10**9
OVERFLOWS = (2**63, 2**64 - 1)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Return a process that all tests here share, each as a tenant of its own."""
    with running(tmp_path_factory.mktemp("outcomes") / "data") as process:
        yield process
        assert "Traceback" not in process.log()
        assert "ERROR" not in process.log()


_tenants = count(1)


@pytest.fixture
def tenant(platform: Platform) -> Tenant:
    """Return a tenant that nobody has used."""
    return Tenant(platform, f"tenant-{next(_tenants)}")


def spans_on(times_ns: list[int], **changes: Any) -> list[Span]:  # noqa: ANN401 - whatever a Span takes
    """Return one span for each time."""
    return [
        otlp.span(
            span_id=(index + 1).to_bytes(8, "big"), start_time_unix_nano=at_ns, end_time_unix_nano=at_ns, **changes
        )
        for index, at_ns in enumerate(times_ns)
    ]


def test_times_far_off_are_stored_as_they_are(tenant: Tenant) -> None:
    """Spans of 1970, of 2200 and of 101 days in one body are one trace with every time as it was sent."""
    times = [1, YEAR_2200_NS, 2**63 - 1, *(otlp.NOW_NS - day * DAY_NS for day in range(101))]
    answer = tenant.send(Signal.TRACES, otlp.traces(*spans_on(times)))
    assert (answer.status, answer.body) == (200, b"")
    found = tenant.spans(otlp.TRACE_ID, at_least=len(times))
    assert sorted(int(span["startTimeUnixNano"]) for span in found) == sorted(times)


def test_logs_and_points_of_101_days_are_stored(tenant: Tenant) -> None:
    """A sender with a wild clock makes no segment that cannot be stored, whatever the signal."""
    days = [otlp.NOW_NS - day * DAY_NS for day in range(101)]
    records = [otlp.record(time_unix_nano=at_ns) for at_ns in (1, YEAR_2200_NS, *days)]
    assert tenant.send(Signal.LOGS, otlp.logs(*records)).body == b""
    points = [otlp.number(as_int=1, time_unix_nano=at_ns) for at_ns in (1, YEAR_2200_NS, *days, time.time_ns())]
    assert tenant.send(Signal.METRICS, otlp.metrics(otlp.metric(*points))).body == b""
    for at_ns in (1, YEAR_2200_NS, days[0], days[-1]):
        assert len(tenant.logs(around_ns=at_ns)) == 1
    assert [metric["name"] for metric in tenant.metrics()] == ["requests"]


@pytest.mark.parametrize("at_ns", [0, *OVERFLOWS])
def test_a_span_or_point_without_a_time_that_exists_is_refused(tenant: Tenant, at_ns: int) -> None:
    """It is counted and explained; its neighbours in the body are stored."""
    good, bad = spans_on([otlp.NOW_NS, at_ns])
    over_http = tenant.send(Signal.TRACES, otlp.traces(good, bad))
    over_grpc = tenant.call(Signal.TRACES, otlp.traces(bad, good))
    for answer in (over_http, over_grpc):
        refused, text = rejected(answer)
        assert refused == 1
        assert "1 refused: a time stamp is missing or cannot be stored: it has to be between 1970 and 2262" in text
    assert "(first at resource_spans[0].scope_spans[0].spans[1])" in rejected(over_http)[1]
    points = otlp.metric(otlp.number(as_int=1, time_unix_nano=at_ns), otlp.number(as_int=2))
    assert rejected(tenant.send(Signal.METRICS, otlp.metrics(points)))[0] == 1
    assert {span["spanId"] for span in tenant.spans(otlp.TRACE_ID, at_least=1)} == {good.span_id.hex()}


def test_a_log_record_without_a_time_has_that_of_its_receipt(tenant: Tenant) -> None:
    """OTLP allows a record without any time: it is found at now, and says that it is so."""
    sent = otlp.logs(otlp.record(time_unix_nano=0, observed_time_unix_nano=0))
    assert tenant.send(Signal.LOGS, sent).body == b""
    (record,) = tenant.logs(around_ns=time.time_ns())
    assert (record["time_origin"], record["observed_time"]) == ("received", None)
    for at_ns in OVERFLOWS:
        assert rejected(tenant.send(Signal.LOGS, otlp.logs(otlp.record(time_unix_nano=at_ns))))[0] == 1


@pytest.mark.parametrize(
    ("field", "length", "words"),
    [("trace_id", 16, "the trace_id cannot be stored"), ("span_id", 8, "the span_id cannot be stored")],
)
def test_spans_with_ids_that_are_none_are_refused(tenant: Tenant, field: str, length: int, words: str) -> None:
    """Empty, too short, too long and all-zero ids are counted by reason; the good span beside them is stored."""
    wrong = [b"", b"\1" * (length - 1), b"\1" * (length + 1), b"\1" * 64, bytes(length)]
    bad = [otlp.span(**{field: value}) for value in wrong]
    refused, text = rejected(tenant.send(Signal.TRACES, otlp.traces(*bad, otlp.span())))
    assert refused == len(wrong)
    assert f"{len(wrong)} refused: {words}: it needs {length} bytes that are not all zero" in text
    assert len(tenant.spans(otlp.TRACE_ID)) == 1
    parent = otlp.traces(otlp.span(parent_span_id=b"\1" * 7))
    assert "the parent_span_id has neither 8 bytes nor none" in rejected(tenant.send(Signal.TRACES, parent))[1]


def test_a_log_record_may_have_no_ids_but_no_wrong_ones(tenant: Tenant) -> None:
    """Without ids it is stored, with ids of another length it is refused."""
    now_ns = time.time_ns()
    records = [
        otlp.record(time_unix_nano=now_ns, trace_id=b"", span_id=b""),
        otlp.record(time_unix_nano=now_ns, trace_id=b"\1" * 15),
        otlp.record(time_unix_nano=now_ns, span_id=b"\1" * 9),
    ]
    assert rejected(tenant.send(Signal.LOGS, otlp.logs(*records)))[0] == 2
    (record,) = tenant.logs(around_ns=now_ns)
    assert (record["trace_id"], record["span_id"]) == ("", "")


def test_a_span_with_10_000_attributes_is_stored_whole(tenant: Tenant) -> None:
    """Every one comes back with its value; a span over the bound of 16,384 is refused, and not cut."""
    wide = [
        KeyValue(
            key=f"key.{index}", value=AnyValue(int_value=index) if index % 2 else AnyValue(string_value=f"{index}")
        )
        for index in range(10_000)
    ]
    over = otlp.span(span_id=b"\2" * 8, attributes=otlp.attributes(16_385))
    refused, text = rejected(tenant.send(Signal.TRACES, otlp.traces(otlp.span(attributes=wide), over)))
    assert (refused, "more attributes than the setting ingest_attributes_max" in text) == (1, True)
    (span,) = tenant.spans(otlp.TRACE_ID)
    values = {entry["key"]: entry["value"] for entry in span["attributes"]}
    assert values == {
        f"key.{index}": {"intValue": str(index)} if index % 2 else {"stringValue": f"{index}"}
        for index in range(10_000)
    }


def _nested() -> AnyValue:
    entries = [KeyValue(key="list", value=AnyValue(array_value=ArrayValue(values=[AnyValue(bytes_value=b"\0\xff")])))]
    return AnyValue(kvlist_value=KeyValueList(values=[*entries, KeyValue(key="unset"), KeyValue(key="\t\\n'")]))


SAME: dict[Signal, Callable[[int], Message]] = {
    Signal.TRACES: lambda _: otlp.traces(
        otlp.span(
            attributes=[KeyValue(key="nested", value=_nested())],
            events=[Span.Event(time_unix_nano=1, name="e", attributes=otlp.attributes(2))],
            links=[Span.Link(trace_id=otlp.TRACE_ID, span_id=otlp.SPAN_ID, trace_state="a=b")],
        ),
        otlp.span(span_id=b"\2" * 8, kind=Span.SPAN_KIND_CLIENT, trace_state="x=y", dropped_links_count=7),
    ),
    Signal.LOGS: lambda now_ns: otlp.logs(
        otlp.record(time_unix_nano=now_ns, body=_nested()), otlp.record(time_unix_nano=now_ns + 1, severity_text="odd")
    ),
    Signal.METRICS: lambda now_ns: otlp.metrics(
        otlp.metric(otlp.number(as_double=0.1, time_unix_nano=now_ns), name="gauge"),
        otlp.sum_metric(otlp.number(as_int=2**62, time_unix_nano=now_ns), name="sum"),
        otlp.metric(otlp.histogram(time_unix_nano=now_ns, exemplars=[otlp.exemplar()]), name="histogram"),
        otlp.metric(otlp.exponential(time_unix_nano=now_ns), name="exponential"),
        otlp.metric(otlp.summary(time_unix_nano=now_ns), name="summary"),
    ),
}
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def test_every_way_in_gives_the_same_rows(platform: Platform) -> None:
    """Protobuf, JSON, gRPC and the three codings of either: what is read back is the same to the last attribute."""
    now_ns = time.time_ns()
    answers = {}
    for way in ("protobuf", "json", "grpc", *COMPRESS):
        tenant = Tenant(platform, f"way-{way}")
        for signal, make in SAME.items():
            _send_as(way, tenant, signal, make(now_ns))
        platform.wait_until_stored()  # a segment becomes visible one table at a time
        spans = sorted(tenant.spans(otlp.TRACE_ID, at_least=2), key=lambda span: str(span["spanId"]))
        answers[way] = (spans, tenant.logs(around_ns=now_ns, at_least=2), tenant.metrics(at_least=5))
    for way, answer in answers.items():
        for found, expected in zip(answer, answers["protobuf"], strict=True):
            assert found == expected, way


def _send_as(way: str, tenant: Tenant, signal: Signal, request: Message) -> None:
    if way == "grpc":
        assert tenant.call(signal, request).code is grpc.StatusCode.OK
    elif way == "json":
        answer = tenant.send_json(signal, request)
        assert (answer.status, answer.body) == (200, b"{}")
    elif way == "protobuf":
        assert (tenant.send(signal, request).status) == 200
    else:
        data = COMPRESS[way](request.SerializeToString())
        assert tenant.send(signal, data, {"Content-Encoding": way}).status == 200


def test_a_partial_success_is_told_in_the_callers_format(tenant: Tenant) -> None:
    """JSON is answered in JSON with OTLP's names, and counts as text as the protocol demands."""
    answer = tenant.send_json(Signal.LOGS, otlp.logs(otlp.record(), otlp.record(span_id=b"\1")))
    partial = answer.json()["partialSuccess"]
    assert (answer.headers["content-type"], partial["rejectedLogRecords"]) == ("application/json", "1")
    assert "resource_logs[0].scope_logs[0].log_records[1]" in partial["errorMessage"]


def _enclosed(field: int, content: bytes) -> bytes:
    """Return a short message as a field of another."""
    return bytes([field << 3 | 2, len(content)]) + content


def test_protobuf_that_nobody_writes_is_stored_as_parsers_read_it(tenant: Tenant) -> None:
    """A body whose value is set twice, which the engine's parser refuses, holds up nobody: the last value counts."""
    now_ns = time.time_ns()
    text_then_number = _enclosed(5, b"\x0a\x01a" + b"\x18\x05")
    odd = LogRecord(time_unix_nano=now_ns).SerializeToString() + text_then_number
    for data in (_enclosed(1, _enclosed(2, _enclosed(2, odd))), otlp.logs(otlp.record(time_unix_nano=now_ns))):
        assert tenant.send(Signal.LOGS, data).status == 200
    bodies = [record["body"] for record in tenant.logs(around_ns=now_ns, at_least=2)]
    assert sorted(map(str, bodies)) == ["{'intValue': '5'}", "{'stringValue': 'hello'}"]


@pytest.mark.parametrize("bodies", [1, 10])
def test_a_trace_of_100_000_spans_is_stored_and_read(tenant: Tenant, bodies: int) -> None:
    """In one body of some 10 MB or in ten: every span is there once."""
    each = 100_000 // bodies
    for body in range(bodies):
        spans = [
            Span(
                trace_id=otlp.TRACE_ID,
                span_id=(body * each + index + 1).to_bytes(8, "big"),
                name="step",
                start_time_unix_nano=otlp.NOW_NS + index,
                end_time_unix_nano=otlp.NOW_NS + index + 1,
            )
            for index in range(each)
        ]
        assert tenant.send(Signal.TRACES, otlp.traces(*spans)).status == 200
    found = tenant.spans(otlp.TRACE_ID, at_least=100_000)
    assert len(found) == len({span["spanId"] for span in found}) == 100_000
