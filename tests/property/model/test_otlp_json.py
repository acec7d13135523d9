from base64 import b64decode
from typing import Any

import orjson
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.model.otlp_json import from_otlp_json, to_otlp_json

SCALARS: st.SearchStrategy[AnyValue] = st.one_of(
    st.builds(AnyValue),
    st.builds(AnyValue, string_value=st.text(st.characters(exclude_categories=["Cs"]))),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats(allow_nan=False)),
    st.builds(AnyValue, bytes_value=st.binary(max_size=20)),
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10) | st.sampled_from(["traceId", "spanId"])


def _nested(inner: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    values = st.lists(inner, max_size=3).map(lambda made: AnyValue(array_value=ArrayValue(values=made)))
    pairs = st.lists(st.builds(KeyValue, key=KEYS, value=inner), max_size=3)
    return values | pairs.map(lambda made: AnyValue(kvlist_value=KeyValueList(values=made)))


VALUES = st.recursive(SCALARS, _nested, max_leaves=10)
ATTRIBUTES = st.lists(st.builds(KeyValue, key=KEYS, value=VALUES), max_size=4)
UINT64 = st.integers(0, 2**64 - 1)
SPANS = st.builds(
    Span,
    trace_id=st.binary(max_size=20),
    span_id=st.binary(max_size=20),
    parent_span_id=st.binary(max_size=8),
    name=st.text(st.characters(exclude_categories=["Cs"])),
    kind=st.integers(-(2**31), 2**31 - 1),
    start_time_unix_nano=UINT64,
    attributes=ATTRIBUTES,
    links=st.lists(st.builds(Span.Link, trace_id=st.binary(max_size=16), attributes=ATTRIBUTES), max_size=2),
)
POINTS = st.builds(
    NumberDataPoint,
    as_double=st.floats(),
    attributes=ATTRIBUTES,
    flags=st.integers(0, 2**32 - 1),
    time_unix_nano=UINT64,
) | st.builds(NumberDataPoint, as_int=st.integers(-(2**63), 2**63 - 1))
HISTOGRAMS = st.builds(
    HistogramDataPoint,
    bucket_counts=st.lists(UINT64, max_size=4),
    explicit_bounds=st.lists(st.floats(), max_size=4),
    sum=st.floats() | st.none(),
)
METRICS = st.builds(
    ScopeMetrics,
    metrics=st.lists(
        st.builds(Metric, sum=st.builds(Sum, data_points=st.lists(POINTS, max_size=2), is_monotonic=st.booleans()))
        | st.builds(Metric, histogram=st.builds(Histogram, data_points=st.lists(HISTOGRAMS, max_size=2))),
        max_size=3,
    ),
)
RECORDS = st.builds(LogRecord, body=VALUES, time_unix_nano=UINT64, trace_id=st.binary(max_size=16))


def hexadecimal_ids(node: Any) -> Any:  # noqa: ANN401 - JSON
    """Return protobuf's own JSON with its ids as OTLP has them."""
    if isinstance(node, list):
        return [hexadecimal_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: b64decode(item).hex() if key in {"traceId", "spanId", "parentSpanId"} else hexadecimal_ids(item)
        for key, item in node.items()
    }


@given(st.one_of(SPANS, RECORDS, st.builds(ResourceMetrics, scope_metrics=st.lists(METRICS, max_size=2))))
def test_it_is_protobufs_own_json_but_for_ids_and_enums(message: Any) -> None:  # noqa: ANN401 - of three types
    """Our writer is quicker and says the same, to the order of the keys."""
    expected = hexadecimal_ids(json_format.MessageToDict(message, use_integers_for_enums=True))
    assert orjson.dumps(to_otlp_json(message)) == orjson.dumps(expected)


@given(SPANS | RECORDS)
def test_every_message_survives_the_way_through_json(message: Any) -> None:  # noqa: ANN401 - of two types
    """Ids of any length, every kind of value, all numbers: what is written reads as the same message."""
    text = orjson.dumps(to_otlp_json(message))
    assert from_otlp_json(text, into=type(message)()) == message
