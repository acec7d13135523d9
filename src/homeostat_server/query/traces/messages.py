"""Stored spans as OTLP messages, exactly as they were sent. It asks the store nothing."""

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from homeostat_server.query.rows import Pairs, digits, integer, integers, pairs, raw, raws, text, texts
from homeostat_server.query.sources import Source
from homeostat_server.query.values import fill_attributes
from homeostat_server.store.ports import Row

_NO_SPAN: Final = bytes(8)
"""How a span without a parent is stored."""


def traces_data(rows: Iterable[Row], sources: Mapping[int, Source], *, trace_id: bytes) -> TracesData:
    """Return the spans under their scopes, and the scopes under their resources, in the order of their first spans."""
    data = TracesData()
    resources: dict[bytes, ResourceSpans] = {}
    scopes: dict[int, ScopeSpans] = {}
    for row in rows:
        number = integer(row["source"])
        scope = scopes.get(number)
        if scope is None:
            scope = scopes[number] = _add_scope(data, resources, sources.get(number))
        _fill_span(scope.spans.add(), row, trace_id=trace_id)
    return data


def _add_scope(data: TracesData, resources: dict[bytes, ResourceSpans], source: Source | None) -> ScopeSpans:
    if source is None:
        # Sources outlive their spans; should one be gone, its spans are still worth showing.
        return data.resource_spans.add().scope_spans.add()
    identity = source.resource.SerializeToString(deterministic=True) + b"\0" + source.resource_schema_url.encode()
    block = resources.get(identity)
    if block is None:
        block = resources[identity] = data.resource_spans.add(schema_url=source.resource_schema_url)
        block.resource.CopyFrom(source.resource)
    scope = block.scope_spans.add(schema_url=source.scope_schema_url)
    scope.scope.CopyFrom(source.scope)
    return scope


def _fill_span(span: Span, row: Row, *, trace_id: bytes) -> None:
    start_ns = integer(row["start_ns"])
    parent_span_id = raw(row["parent_span_id"])
    span.trace_id = trace_id
    span.span_id = raw(row["span_id"])
    span.trace_state = text(row["trace_state"])
    if parent_span_id != _NO_SPAN:
        span.parent_span_id = parent_span_id
    span.flags = integer(row["flags"])
    span.name = text(row["name"])
    span.kind = integer(row["kind"])  # type: ignore[assignment] # enums are open: a number we do not know is kept
    span.start_time_unix_nano = start_ns
    span.end_time_unix_nano = start_ns + integer(row["duration_ns"])
    fill_attributes(span.attributes, stored=pairs(row["attributes"]), kinds=digits(row["attribute_kinds"]))
    span.dropped_attributes_count = integer(row["dropped_attributes"])
    _add_events(span, row)
    span.dropped_events_count = integer(row["dropped_events"])
    _add_links(span, row)
    span.dropped_links_count = integer(row["dropped_links"])
    _fill_status(span, row)


def _fill_status(span: Span, row: Row) -> None:
    code, message = integer(row["status_code"]), text(row["status_message"])
    if code or message:
        span.status.code = code  # type: ignore[assignment] # as with the kind
        span.status.message = message


def _add_events(span: Span, row: Row) -> None:
    attributes = _nested(row["event_attributes"], row["event_attribute_kinds"])
    dropped = integers(row["event_dropped_attributes"])
    columns = zip(integers(row["event_times_ns"]), texts(row["event_names"]), attributes, dropped, strict=True)
    for time_ns, name, (stored, kinds), count in columns:
        event = span.events.add(time_unix_nano=time_ns, name=name, dropped_attributes_count=count)
        fill_attributes(event.attributes, stored=stored, kinds=kinds)


def _add_links(span: Span, row: Row) -> None:
    attributes = _nested(row["link_attributes"], row["link_attribute_kinds"])
    ids = zip(raws(row["link_trace_ids"]), raws(row["link_span_ids"]), strict=True)
    states = zip(texts(row["link_trace_states"]), integers(row["link_flags"]), strict=True)
    dropped = integers(row["link_dropped_attributes"])
    for (trace_id, span_id), (state, flags), (stored, kinds), count in zip(
        ids, states, attributes, dropped, strict=True
    ):
        link = span.links.add(
            trace_id=trace_id, span_id=span_id, trace_state=state, flags=flags, dropped_attributes_count=count
        )
        fill_attributes(link.attributes, stored=stored, kinds=kinds)


def _nested(attributes: object, kinds: object) -> Iterable[tuple[Pairs, list[int]]]:
    assert isinstance(attributes, list)
    assert isinstance(kinds, list)
    return zip(map(pairs, attributes), map(digits, kinds), strict=True)
