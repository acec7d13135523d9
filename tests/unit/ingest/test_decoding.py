import gzip

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from homeostat_server.exceptions import InvalidRequest, TooLarge, UnsupportedMedia
from homeostat_server.ingest.decoding import JSON_BYTES_MAX, BodyFormat, RawBody, decode
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.model.signal import Signal
from tests.otlp import histogram, metric, metrics, span, traces

REQUEST = traces(span())
BODY = REQUEST.SerializeToString()
LIMIT = 16 << 20


def test_protobuf_is_parsed_and_kept_as_it_came() -> None:
    """The bytes beside the request are those that were received, decompressed."""
    plain = decode(RawBody(data=BODY), signal=Signal.TRACES, size_bytes_max=LIMIT)
    zipped = decode(RawBody(data=gzip.compress(BODY), encoding="gzip"), signal=Signal.TRACES, size_bytes_max=LIMIT)
    assert plain.request == zipped.request == REQUEST
    assert plain.body == zipped.body == BODY


def test_json_becomes_the_same_protobuf() -> None:
    """A request in OTLP/JSON is the request in protobuf from here on."""
    raw = RawBody(data=orjson.dumps(to_otlp_json(REQUEST)), format=BodyFormat.JSON)
    decoded = decode(raw, signal=Signal.TRACES, size_bytes_max=LIMIT)
    assert decoded.request == REQUEST
    assert ExportTraceServiceRequest.FromString(decoded.body) == REQUEST


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (RawBody(data=b"\xff"), InvalidRequest),
        (RawBody(data=b"{", format=BodyFormat.JSON), InvalidRequest),
        (RawBody(data=BODY, encoding="gzip"), InvalidRequest),
        (RawBody(data=BODY, encoding="br"), UnsupportedMedia),
        (RawBody(data=b" " * (JSON_BYTES_MAX + 1), format=BodyFormat.JSON), TooLarge),
        (RawBody(data=bytes(LIMIT + 1)), TooLarge),
    ],
)
def test_each_wrong_body_has_its_error(raw: RawBody, error: type[Exception]) -> None:
    """What the sender has to change is told apart."""
    with pytest.raises(error):
        decode(raw, signal=Signal.TRACES, size_bytes_max=LIMIT)


@pytest.mark.parametrize("empty", [b"\x0a\x00", b"\x0a\x02\x12\x00"])
def test_a_body_that_blows_up_in_memory_is_refused(empty: bytes) -> None:
    """Millions of messages without content would take forty times their size in the parser."""
    with pytest.raises(TooLarge, match="without content"):
        decode(RawBody(data=empty * (1 << 20)), signal=Signal.TRACES, size_bytes_max=LIMIT)


def test_a_large_body_full_of_zeros_that_mean_something_is_taken() -> None:
    """Bucket counts are eight bytes each and mostly zeros; they are not messages."""
    points = [histogram(bucket_counts=[10] * 500, explicit_bounds=list(range(499))) for _ in range(100)]
    body = metrics(metric(*points)).SerializeToString()
    assert len(body) > 512 * 1024
    assert decode(RawBody(data=body), signal=Signal.METRICS, size_bytes_max=LIMIT).body == body
