from collections import Counter
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks import realistic

START_NS = 1_767_225_600 * 10**9
RECORDS = 25_000
PER_ROUND = 10_000


def records_of(bodies: list[realistic.Body]) -> Iterator[LogRecord]:
    """Yield the records of bodies."""
    for body in bodies:
        for block in ExportLogsServiceRequest.FromString(body.data).resource_logs:
            for scope in block.scope_logs:
                yield from scope.log_records


@pytest.fixture(scope="module")
def bodies() -> list[realistic.Body]:
    """Return the bodies under test."""
    return list(realistic.logs(RECORDS, start_ns=START_NS, records_per_round=PER_ROUND))


@pytest.fixture(scope="module")
def records(bodies: list[realistic.Body]) -> list[LogRecord]:
    """Return the records under test."""
    return list(records_of(bodies))


@pytest.fixture(scope="module")
def spans() -> dict[bytes, Span]:
    """Return the spans that traces() makes of the same arguments, by id."""
    found: dict[bytes, Span] = {}
    for body in realistic.traces(RECORDS, start_ns=START_NS, spans_per_round=PER_ROUND):
        for block in ExportTraceServiceRequest.FromString(body.data).resource_spans:
            for scope in block.scope_spans:
                found |= {span.span_id: span for span in scope.spans}
    return found


def test_exactly_the_records_asked_for(bodies: list[realistic.Body], records: list[LogRecord]) -> None:
    """Bodies hold the records asked for and say how many."""
    assert len(records) == sum(body.items for body in bodies) == RECORDS


def test_correlated_records_lie_inside_real_spans(records: list[LogRecord], spans: dict[bytes, Span]) -> None:
    """Nearly every record names a span that traces() makes, and was written while it ran."""
    correlated = [record for record in records if record.span_id]
    assert 0.9 < len(correlated) / len(records) < 0.97
    for record in correlated:
        span = spans[record.span_id]
        assert span.trace_id == record.trace_id
        assert span.start_time_unix_nano <= record.time_unix_nano <= span.end_time_unix_nano
        assert record.observed_time_unix_nano > record.time_unix_nano


def test_severities_are_mixed(records: list[LogRecord]) -> None:
    """Most records are informational; errors are a few percent; number and text agree."""
    shares = {text: count / len(records) for text, count in Counter(one.severity_text for one in records).items()}
    assert 0.5 < shares["INFO"] < 0.8
    assert 0.01 < shares["ERROR"] < 0.08
    assert set(shares) == {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
    assert {(one.severity_text, one.severity_number) for one in records} == {
        ("DEBUG", 5), ("INFO", 9), ("WARN", 13), ("ERROR", 17), ("FATAL", 21),
    }  # fmt: skip


def test_bodies_are_filled_templates_and_some_structured(records: list[LogRecord]) -> None:
    """Texts have their variables filled in and hardly repeat; one in eight bodies is a map."""
    texts = [one.body.string_value for one in records if one.body.WhichOneof("value") == "string_value"]
    maps = [one.body.kvlist_value for one in records if one.body.WhichOneof("value") == "kvlist_value"]
    assert len(texts) + len(maps) == len(records)
    assert 0.08 < len(maps) / len(records) < 0.16
    assert not any("\x01" in text for text in texts)
    assert len(set(texts)) > 0.7 * len(texts)


def test_records_have_attributes(records: list[LogRecord]) -> None:
    """A record has four to nine attributes without repetition of a key."""
    keys = [[item.key for item in record.attributes] for record in records]
    assert all(4 <= len(names) == len(set(names)) <= 13 for names in keys)
    assert 4.5 < sum(map(len, keys)) / len(keys) < 7


def test_same_arguments_same_bytes(bodies: list[realistic.Body]) -> None:
    """The seed decides every byte."""
    assert list(realistic.logs(RECORDS, start_ns=START_NS, records_per_round=PER_ROUND)) == bodies
