"""Whatever OTLP can say and the checks of ingest let through, for property tests."""

import math
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    EntityRef,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

UINT32S = st.integers(0, 2**32 - 1)
INT64S = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TIMES = st.one_of(st.integers(1, 2**63 - 1), st.integers(1_767_225_600 * 10**9, 1_767_225_700 * 10**9))
TRACE_IDS = st.binary(min_size=16, max_size=16).filter(any)
SPAN_IDS = st.binary(min_size=8, max_size=8).filter(any)

# A NaN is a NaN: which of its bit patterns was sent is not kept.
DOUBLES = st.floats().map(lambda number: math.nan if math.isnan(number) else number)

SCALARS = st.one_of(
    st.just(AnyValue()),
    TEXTS.map(lambda value: AnyValue(string_value=value)),
    st.booleans().map(lambda value: AnyValue(bool_value=value)),
    INT64S.map(lambda value: AnyValue(int_value=value)),
    DOUBLES.map(lambda value: AnyValue(double_value=value)),
    st.binary(max_size=12).map(lambda value: AnyValue(bytes_value=value)),
)


def _containers(children: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    entries = st.builds(lambda key, value: KeyValue(key=key, value=value), TEXTS, children)
    return st.one_of(
        st.lists(children, max_size=3).map(lambda values: AnyValue(array_value=ArrayValue(values=values))),
        st.lists(entries, max_size=3).map(lambda values: AnyValue(kvlist_value=KeyValueList(values=values))),
    )


ANY_VALUES = st.recursive(SCALARS, _containers, max_leaves=4)
KEYS = st.one_of(st.sampled_from(["a", "b", "http.route"]), TEXTS)
ATTRIBUTES = st.lists(st.builds(lambda key, value: KeyValue(key=key, value=value), KEYS, ANY_VALUES), max_size=4)

EVENTS = st.builds(
    Span.Event,
    time_unix_nano=st.one_of(st.just(0), TIMES),
    name=TEXTS,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32S,
)
LINKS = st.builds(
    Span.Link,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    trace_state=TEXTS,
    flags=UINT32S,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32S,
)
STATUSES = st.builds(Status, code=st.integers(0, 2), message=TEXTS)


def spans(trace_ids: st.SearchStrategy[bytes] = TRACE_IDS) -> st.SearchStrategy[Span]:
    """Return spans of these traces."""
    return st.builds(
        Span,
        trace_id=trace_ids,
        span_id=SPAN_IDS,
        parent_span_id=st.one_of(st.just(b""), SPAN_IDS),
        trace_state=TEXTS,
        flags=UINT32S,
        name=TEXTS,
        kind=st.integers(-1, 9),
        start_time_unix_nano=TIMES,
        end_time_unix_nano=TIMES,
        attributes=ATTRIBUTES,
        dropped_attributes_count=UINT32S,
        events=st.lists(EVENTS, max_size=2),
        dropped_events_count=UINT32S,
        links=st.lists(LINKS, max_size=2),
        dropped_links_count=UINT32S,
        status=STATUSES,
    )


SCOPES = st.builds(
    InstrumentationScope, name=TEXTS, version=TEXTS, attributes=ATTRIBUTES, dropped_attributes_count=UINT32S
)
ENTITIES = st.builds(EntityRef, type=TEXTS, schema_url=TEXTS, id_keys=st.lists(TEXTS, max_size=2))
RESOURCES = st.builds(
    Resource,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32S,
    entity_refs=st.lists(ENTITIES, max_size=2),
)


@st.composite
def trace_blocks(draw: st.DrawFn, trace_id: bytes) -> TracesData:
    """Return spans of one trace under some resources and scopes, no two of which are equal."""
    data = TracesData()
    for number in range(draw(st.integers(1, 3))):
        # What is equal but for the order of its attributes is one source; a number in each keeps them apart.
        resource = draw(RESOURCES)
        resource.attributes.add(key="number").value.int_value = number
        block = ResourceSpans(resource=resource, schema_url=draw(TEXTS))
        for scope_number in range(draw(st.integers(1, 2))):
            scope = draw(SCOPES)
            scope.attributes.add(key="number").value.int_value = scope_number
            made = draw(st.lists(spans(st.just(trace_id)), min_size=1, max_size=3))
            block.scope_spans.append(ScopeSpans(scope=scope, schema_url=draw(TEXTS), spans=made))
        data.resource_spans.append(block)
    return data


def _log_record(**fields: Any) -> LogRecord:  # noqa: ANN401 - whatever a LogRecord takes
    if not fields["body"].WhichOneof("value"):
        del fields["body"]
    return LogRecord(**fields)


def log_records(times: st.SearchStrategy[int]) -> st.SearchStrategy[LogRecord]:
    """Return log records of these times."""
    return st.builds(
        _log_record,
        time_unix_nano=times,
        observed_time_unix_nano=st.one_of(st.just(0), TIMES),
        severity_number=st.integers(0, 24),
        severity_text=st.sampled_from(["", "INFO", "error"]),
        event_name=TEXTS,
        body=ANY_VALUES,
        trace_id=st.one_of(st.just(b""), TRACE_IDS),
        span_id=st.one_of(st.just(b""), SPAN_IDS),
        flags=UINT32S,
        attributes=ATTRIBUTES,
        dropped_attributes_count=UINT32S,
    )
