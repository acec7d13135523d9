import gzip
import zlib
from collections.abc import Callable
from random import Random

import orjson
import pytest
import zstandard
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.exceptions import RequestError
from homeostat_server.ingest.checks.examination import canonical, examine, parse_request
from homeostat_server.ingest.compression import decompress
from homeostat_server.ingest.decoding import BodyFormat, RawBody, decode
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.model.signal import Signal
from tests.mutations import mutated
from tests.otlp import (
    SPAN_ID,
    TRACE_ID,
    exemplar,
    exponential,
    histogram,
    logs,
    metric,
    metrics,
    number,
    record,
    span,
    sum_metric,
    summary,
    traces,
)

LIMIT = 1 << 20
ATTRIBUTES_MAX = 100

_NESTED = AnyValue(
    kvlist_value=KeyValueList(
        values=[
            KeyValue(key="list", value=AnyValue(array_value=ArrayValue(values=[AnyValue(bytes_value=b"\0\xff")]))),
            KeyValue(key="yes", value=AnyValue(bool_value=True)),
            KeyValue(key="half", value=AnyValue(double_value=0.5)),
            KeyValue(key="unset"),
        ]
    )
)
GOOD: dict[Signal, Message] = {
    Signal.TRACES: traces(
        span(attributes=[KeyValue(key="nested", value=_NESTED)]),
        span(
            parent_span_id=SPAN_ID,
            links=[Span.Link(trace_id=TRACE_ID, span_id=SPAN_ID, trace_state="a=b")],
            events=[Span.Event(time_unix_nano=1, name="exception")],
        ),
    ),
    Signal.LOGS: logs(record(body=_NESTED), record(trace_id=b"", span_id=b"", event_name="login")),
    Signal.METRICS: metrics(
        metric(number(exemplars=[exemplar()]), number(as_int=-1)),
        sum_metric(number()),
        metric(histogram()),
        metric(exponential()),
        metric(summary()),
    ),
}
BODIES = {signal: message.SerializeToString() for signal, message in GOOD.items()}
TEXTS = {signal: orjson.dumps(to_otlp_json(message)) for signal, message in GOOD.items()}


def take_in(raw: RawBody, signal: Signal) -> bool:
    """Do with a body what the intake does, check what may be stored of it, and say whether it was let in."""
    try:
        decoded = decode(raw, signal=signal, size_bytes_max=LIMIT)
    except RequestError:
        return False
    result = examine(decoded.request, signal=signal, body=decoded.body, attributes_max=ATTRIBUTES_MAX)
    again = examine(
        parse_request(signal, body=result.body), signal=signal, body=result.body, attributes_max=ATTRIBUTES_MAX
    )
    assert (again.items, again.rejected) == (result.items, 0)
    assert parse_request(signal, body=canonical(signal, body=result.body)) is not None
    return True


def run_campaign(seed: int, bodies: int) -> None:
    """Mutate bodies of each signal in both formats; every one has to end in one of the outcomes."""
    random = Random(seed)
    let_in = 0
    for number_of_body in range(bodies):
        signal = tuple(Signal)[number_of_body % 3]
        if number_of_body % 2:
            raw = RawBody(data=mutated(random, BODIES[signal]))
        else:
            raw = RawBody(data=mutated(random, TEXTS[signal]), format=BodyFormat.JSON)
        let_in += take_in(raw, signal)
    # A campaign in which nothing, or everything, passes tests only one side.
    assert 0 < let_in < bodies


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_body_is_refused_or_stored_soundly(seed: int) -> None:
    """Of 20,000 mutated bodies none crashes the checks, and nothing unstorable gets through."""
    run_campaign(seed, 5_000)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 200))
def test_a_million_mutated_bodies_are_refused_or_stored_soundly(seed: int) -> None:
    """The same, 10^6 times."""
    run_campaign(seed, 10_000)


@given(st.binary(max_size=300), st.sampled_from(Signal), st.sampled_from(BodyFormat))
def test_any_bytes_have_an_outcome(data: bytes, signal: Signal, body_format: BodyFormat) -> None:
    """Bytes that never were anything are refused or understood, nothing else."""
    take_in(RawBody(data=data, format=body_format), signal)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceSpans",
                    "scopeSpans",
                    "spans",
                    "traceId",
                    "spanId",
                    "startTimeUnixNano",
                    "attributes",
                    "value",
                    "arrayValue",
                    "values",
                    "kind",
                    "status",
                    "flags",
                    "[x]",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_any_json_has_an_outcome(document: object) -> None:
    """JSON of the right words in the wrong places is refused or understood."""
    try:
        text = orjson.dumps(document)
    except TypeError:  # an integer that JSON's writer does not take
        text = repr(document).encode("utf-8", "replace")
    take_in(RawBody(data=text, format=BodyFormat.JSON), Signal.TRACES)
    take_in(RawBody(data=b'{"resourceSpans":[%b]}' % text, format=BodyFormat.JSON), Signal.TRACES)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
COMPRESSED = {encoding: compress(BODIES[Signal.TRACES]) for encoding, compress in COMPRESS.items()}


@given(st.sampled_from(sorted(COMPRESSED)), st.randoms(use_true_random=False))
def test_mutated_compressed_bodies_have_an_outcome(encoding: str, random: Random) -> None:
    """A damaged coding is an error of the sender, or happens to be another body."""
    try:
        plain = decompress(mutated(random, COMPRESSED[encoding]), encoding=encoding, size_bytes_max=LIMIT)
    except RequestError:
        return
    take_in(RawBody(data=plain), Signal.TRACES)


@given(st.binary(max_size=3_000), st.sampled_from(sorted(COMPRESSED)), st.integers(0, 3_000))
def test_what_is_compressed_comes_back_within_its_bound(data: bytes, encoding: str, size_bytes_max: int) -> None:
    """Decompression is the inverse of compression, and its bound is exact."""
    compressed = COMPRESS[encoding](data)
    if len(data) <= size_bytes_max:
        assert decompress(compressed, encoding=encoding, size_bytes_max=size_bytes_max) == data
    else:
        with pytest.raises(RequestError):
            decompress(compressed, encoding=encoding, size_bytes_max=size_bytes_max)
