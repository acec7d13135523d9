"""How the engine reads OTLP off a segment: the wire schema and, beside it, the ClickHouse types it becomes.

It knows no table. The schemas are trimmed copies of opentelemetry-proto 1.x, wire compatible with it; what is left out
here is skipped by the engine. `AnyValue.array_value` and `.kvlist_value` are declared as `bytes`: the recursive type
disappears, and the bytes are kept as they came.
"""

from typing import Final

from homeostat_server.model.signal import Signal
from homeostat_server.store.telemetry.catalogue import KIND, METRIC_KIND, SPAN_ID, TEXT, TRACE_ID


def _tuple(**fields: str) -> str:
    return "Tuple(" + ", ".join(f"{name} {kind}" for name, kind in fields.items()) + ")"


def _array(kind: str) -> str:
    return f"Array({kind})"


ANY_VALUE: Final = _tuple(
    value=KIND,
    string_value="String",
    bool_value="Bool",
    int_value="Int64",
    double_value="Float64",
    array_value="String",
    kvlist_value="String",
    bytes_value="String",
)
ATTRIBUTES: Final = _array(_tuple(key=TEXT, value=ANY_VALUE))
DROPPED: Final = {"dropped_attributes_count": "UInt32"}
RESOURCE: Final = _tuple(attributes=ATTRIBUTES, **DROPPED, entity_refs=_array("String"))
SCOPE: Final = _tuple(name="String", version="String", attributes=ATTRIBUTES, **DROPPED)

VALUE_MESSAGES: Final = """
message AnyValue {
  oneof value {
    string string_value = 1;
    bool bool_value = 2;
    int64 int_value = 3;
    double double_value = 4;
    bytes array_value = 5;
    bytes kvlist_value = 6;
    bytes bytes_value = 7;
  }
}
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource {
  repeated KeyValue attributes = 1;
  uint32 dropped_attributes_count = 2;
  repeated bytes entity_refs = 3;
}
message Scope {
  string name = 1;
  string version = 2;
  repeated KeyValue attributes = 3;
  uint32 dropped_attributes_count = 4;
}
"""


ENVELOPE: Final = """
message ScopeBlock { Scope scope = 1; repeated Item items = 2; string schema_url = 3; }
message Block { Resource resource = 1; repeated ScopeBlock scope_blocks = 2; string schema_url = 3; }
message Request { repeated Block blocks = 1; }
message Tagged { string tenant = 1; Request request = 2; }
"""
"""The export requests of all three signals have this one shape; only `Item` differs."""


def schema(item_messages: str) -> str:
    """Return the schema of a segment whose items are declared by the given messages."""
    return f'syntax = "proto3";\n{VALUE_MESSAGES}{item_messages}{ENVELOPE}'


def structure(item: str | None) -> str:
    """Return the columns of a segment; without `item` only tenants, resources and scopes are read."""
    fields = {} if item is None else {"items": _array(item)}
    block = _tuple(scope=SCOPE, **fields, schema_url="String")
    blocks = _tuple(resource=RESOURCE, scope_blocks=_array(block), schema_url="String")
    return f"tenant {TEXT}, request {_tuple(blocks=_array(blocks))}"


SPAN_MESSAGES: Final = """
message Event {
  fixed64 time_unix_nano = 1;
  string name = 2;
  repeated KeyValue attributes = 3;
  uint32 dropped_attributes_count = 4;
}
message Link {
  bytes trace_id = 1;
  bytes span_id = 2;
  string trace_state = 3;
  repeated KeyValue attributes = 4;
  uint32 dropped_attributes_count = 5;
  fixed32 flags = 6;
}
message Status { string message = 2; int32 code = 3; }
message Item {
  bytes trace_id = 1;
  bytes span_id = 2;
  string trace_state = 3;
  bytes parent_span_id = 4;
  string name = 5;
  int32 kind = 6;
  fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9;
  uint32 dropped_attributes_count = 10;
  repeated Event events = 11;
  uint32 dropped_events_count = 12;
  repeated Link links = 13;
  uint32 dropped_links_count = 14;
  Status status = 15;
  fixed32 flags = 16;
}
"""
SPAN: Final = _tuple(
    trace_id=TRACE_ID,
    span_id=SPAN_ID,
    trace_state="String",
    parent_span_id=SPAN_ID,
    name=TEXT,
    kind="Int32",
    start_time_unix_nano="UInt64",
    end_time_unix_nano="UInt64",
    attributes=ATTRIBUTES,
    **DROPPED,
    events=_array(_tuple(time_unix_nano="UInt64", name=TEXT, attributes=ATTRIBUTES, **DROPPED)),
    dropped_events_count="UInt32",
    links=_array(
        _tuple(
            trace_id=TRACE_ID, span_id=SPAN_ID, trace_state="String", attributes=ATTRIBUTES, **DROPPED, flags="UInt32"
        )
    ),
    dropped_links_count="UInt32",
    status=_tuple(message="String", code="Int32"),
    flags="UInt32",
)
TRACE_SCHEMA: Final = schema(SPAN_MESSAGES)
TRACE_COLUMNS: Final = structure(SPAN)
SOURCE_COLUMNS: Final = structure(None)
TRACE_BOUNDS_COLUMNS: Final = structure(
    _tuple(trace_id=TRACE_ID, start_time_unix_nano="UInt64", end_time_unix_nano="UInt64")
)

LOG_MESSAGES: Final = """
message Item {
  fixed64 time_unix_nano = 1;
  int32 severity_number = 2;
  string severity_text = 3;
  AnyValue body = 5;
  repeated KeyValue attributes = 6;
  uint32 dropped_attributes_count = 7;
  fixed32 flags = 8;
  bytes trace_id = 9;
  bytes span_id = 10;
  fixed64 observed_time_unix_nano = 11;
  string event_name = 12;
}
"""
LOG: Final = _tuple(
    time_unix_nano="UInt64",
    severity_number="Int32",
    severity_text=TEXT,
    body=ANY_VALUE,
    attributes=ATTRIBUTES,
    **DROPPED,
    flags="UInt32",
    trace_id=TRACE_ID,
    span_id=SPAN_ID,
    observed_time_unix_nano="UInt64",
    event_name=TEXT,
)
LOG_SCHEMA: Final = schema(LOG_MESSAGES)
LOG_COLUMNS: Final = structure(LOG)

METRIC_MESSAGES: Final = """
message Exemplar {
  repeated KeyValue filtered_attributes = 7;
  fixed64 time_unix_nano = 2;
  oneof value { double as_double = 3; sfixed64 as_int = 6; }
  bytes span_id = 4;
  bytes trace_id = 5;
}
message NumberPoint {
  repeated KeyValue attributes = 7;
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
  oneof value { double as_double = 4; sfixed64 as_int = 6; }
  repeated Exemplar exemplars = 5;
  uint32 flags = 8;
}
message HistogramPoint {
  repeated KeyValue attributes = 9;
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
  fixed64 count = 4;
  optional double sum = 5;
  repeated fixed64 bucket_counts = 6;
  repeated double explicit_bounds = 7;
  repeated Exemplar exemplars = 8;
  uint32 flags = 10;
  optional double min = 11;
  optional double max = 12;
}
message Buckets { sint32 offset = 1; repeated uint64 bucket_counts = 2; }
message ExponentialPoint {
  repeated KeyValue attributes = 1;
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
  fixed64 count = 4;
  optional double sum = 5;
  sint32 scale = 6;
  fixed64 zero_count = 7;
  Buckets positive = 8;
  Buckets negative = 9;
  uint32 flags = 10;
  repeated Exemplar exemplars = 11;
  optional double min = 12;
  optional double max = 13;
  double zero_threshold = 14;
}
message Quantile { double quantile = 1; double value = 2; }
message SummaryPoint {
  repeated KeyValue attributes = 7;
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
  fixed64 count = 4;
  double sum = 5;
  repeated Quantile quantile_values = 6;
  uint32 flags = 8;
}
message Gauge { repeated NumberPoint data_points = 1; }
message Sum { repeated NumberPoint data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Histogram { repeated HistogramPoint data_points = 1; int32 aggregation_temporality = 2; }
message ExponentialHistogram { repeated ExponentialPoint data_points = 1; int32 aggregation_temporality = 2; }
message Summary { repeated SummaryPoint data_points = 1; }
message Item {
  string name = 1;
  string description = 2;
  string unit = 3;
  oneof data {
    Gauge gauge = 5;
    Sum sum = 7;
    Histogram histogram = 9;
    ExponentialHistogram exponential_histogram = 10;
    Summary summary = 11;
  }
  repeated KeyValue metadata = 12;
}
"""
METRIC_SCHEMA: Final = schema(METRIC_MESSAGES)

EXEMPLAR: Final = _tuple(
    filtered_attributes=ATTRIBUTES,
    time_unix_nano="UInt64",
    value="Enum8('unset' = 0, 'as_double' = 3, 'as_int' = 6)",
    as_double="Float64",
    as_int="Int64",
    span_id=SPAN_ID,
    trace_id=TRACE_ID,
)
POINT: Final = {
    "attributes": ATTRIBUTES,
    "start_time_unix_nano": "UInt64",
    "time_unix_nano": "UInt64",
    "flags": "UInt32",
}
NUMBER: Final = {
    "value": "Enum8('unset' = 0, 'as_double' = 4, 'as_int' = 6)",
    "as_double": "Float64",
    "as_int": "Int64",
}
TOTALS: Final = {"count": "UInt64", "sum": "Nullable(Float64)", "min": "Nullable(Float64)", "max": "Nullable(Float64)"}
BUCKETS: Final = _tuple(offset="Int32", bucket_counts="Array(UInt64)")
HISTOGRAM: Final = {**TOTALS, "bucket_counts": "Array(UInt64)", "explicit_bounds": "Array(Float64)"}
EXPONENTIAL_HISTOGRAM: Final = {
    **TOTALS,
    "scale": "Int32",
    "zero_count": "UInt64",
    "zero_threshold": "Float64",
    "positive": BUCKETS,
    "negative": BUCKETS,
}
SUMMARY: Final = {
    "count": "UInt64",
    "sum": "Float64",
    "quantile_values": _array(_tuple(quantile="Float64", value="Float64")),
}

WITH_EXEMPLARS: Final = ("gauge", "sum", "histogram", "exponential_histogram")
WITH_TEMPORALITY: Final = ("sum", "histogram", "exponential_histogram")


def _data(kind: str, point: dict[str, str]) -> str:
    temporality = {"aggregation_temporality": "Int32"} if kind in WITH_TEMPORALITY else {}
    monotonic = {"is_monotonic": "Bool"} if kind == "sum" else {}
    return _tuple(data_points=_array(_tuple(**point)), **temporality, **monotonic)


def metric_columns(kinds: tuple[str, ...], point: dict[str, str]) -> str:
    """Return the columns of a segment of metrics, reading only the points of these kinds and of them these fields."""
    return structure(
        _tuple(
            name=TEXT,
            description="String",
            unit=TEXT,
            data=METRIC_KIND,
            **{kind: _data(kind, point) for kind in kinds},
            metadata=ATTRIBUTES,
        )
    )


SCHEMAS: Final = {Signal.TRACES: TRACE_SCHEMA, Signal.LOGS: LOG_SCHEMA, Signal.METRICS: METRIC_SCHEMA}
"""The wire schema of each signal; a segment is a sequence of its `Tagged`."""
