from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
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
RECORDS = st.builds(LogRecord, body=VALUES, time_unix_nano=UINT64, trace_id=st.binary(max_size=16))


@given(SPANS | RECORDS)
def test_every_message_survives_the_way_through_json(message: Any) -> None:  # noqa: ANN401 - of two types
    """Ids of any length, every kind of value, all numbers: what is written reads as the same message."""
    text = orjson.dumps(to_otlp_json(message))
    assert from_otlp_json(text, into=type(message)()) == message
