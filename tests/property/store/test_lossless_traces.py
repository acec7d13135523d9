from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tests.otlp_strategies import SCOPES, TEXTS, spans
from tests.property.store.conftest import Engine
from tests.property.store.requests import RESOURCES
from tests.property.store.stored_model import (
    Canonical,
    counted,
    padded,
    sent_attributes,
    sent_source,
    stored_attributes,
)

SCOPE_BLOCKS = st.builds(ScopeSpans, scope=SCOPES, schema_url=TEXTS, spans=st.lists(spans(), max_size=4))
BLOCKS = st.builds(ResourceSpans, resource=RESOURCES, schema_url=TEXTS, scope_spans=st.lists(SCOPE_BLOCKS, max_size=2))
REQUESTS = st.builds(ExportTraceServiceRequest, resource_spans=st.lists(BLOCKS, max_size=2))


def wrapped(number: int) -> int:
    """Return a difference as 64 bits hold it."""
    return (number + 2**63) % 2**64 - 2**63


def sent_span(span: Span, source: Canonical) -> Canonical:
    """Return the row that a span has to become."""
    return (
        span.start_time_unix_nano,
        wrapped(span.end_time_unix_nano - span.start_time_unix_nano),
        (span.trace_id, span.span_id, padded(span.parent_span_id, 8), span.trace_state.encode(), span.flags),
        (span.name.encode(), span.kind, span.status.code, span.status.message.encode()),
        (source[0], source),
        (sent_attributes(span.attributes), span.dropped_attributes_count),
        [
            (
                event.time_unix_nano,
                event.name.encode(),
                sent_attributes(event.attributes),
                event.dropped_attributes_count,
            )
            for event in span.events
        ],
        span.dropped_events_count,
        [
            (
                link.trace_id,
                link.span_id,
                link.trace_state.encode(),
                link.flags,
                sent_attributes(link.attributes),
                link.dropped_attributes_count,
            )
            for link in span.links
        ],
        span.dropped_links_count,
    )


def stored_span(row: dict[str, Any], sources: dict[int, Canonical]) -> Canonical:
    """Return what a row says of a span."""
    events = zip(
        row["event_times"],
        row["events.name"],
        map(stored_attributes, row["events.attributes"], row["events.attribute_kinds"]),
        row["events.dropped_attributes"],
        strict=True,
    )
    links = zip(
        row["links.trace_id"],
        row["links.span_id"],
        row["links.trace_state"],
        row["links.flags"],
        map(stored_attributes, row["links.attributes"], row["links.attribute_kinds"]),
        row["links.dropped_attributes"],
        strict=True,
    )
    return (
        row["time"],
        row["duration_ns"],
        (row["trace_id"], row["span_id"], row["parent_span_id"], row["trace_state"], row["flags"]),
        (row["name"], row["kind"], row["status_code"], row["status_message"]),
        (row["service"], sources[row["source"]]),
        (stored_attributes(row["attributes"], row["attribute_kinds"]), row["dropped_attributes"]),
        list(events),
        row["dropped_events"],
        list(links),
        row["dropped_links"],
    )


SQL = (
    "SELECT *, toUnixTimestamp64Nano(ts) AS time, arrayMap(t -> toUnixTimestamp64Nano(t), events.ts) AS event_times"
    " FROM telemetry.spans"
)
BOUNDS_SQL = (
    "SELECT trace_id, toUnixTimestamp64Second(min(first_ts)) AS first, toUnixTimestamp64Second(max(last_ts)) AS last"
    " FROM telemetry.trace_bounds GROUP BY trace_id"
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests=st.lists(REQUESTS, min_size=1, max_size=2))
def test_spans_come_back_as_they_were_sent(engine: Engine, requests: list[ExportTraceServiceRequest]) -> None:
    """Every field of every span, event, link, resource and scope, with the kinds of values, their order and doubles."""
    example = engine.stored(*requests)
    sent = [
        (span, sent_source(block, scope.scope, scope.schema_url))
        for request in requests
        for block in request.resource_spans
        for scope in block.scope_spans
        for span in scope.spans
    ]
    sources = example.sources()
    assert counted(stored_span(row, sources) for row in example.rows(SQL)) == counted(
        sent_span(span, source) for span, source in sent
    )
    starts: dict[bytes, list[int]] = {}
    for span, _ in sent:
        starts.setdefault(span.trace_id, []).append(span.start_time_unix_nano // 10**9)
    assert counted((row["trace_id"], row["first"], row["last"]) for row in example.rows(BOUNDS_SQL)) == counted(
        (trace_id, min(seconds), max(seconds)) for trace_id, seconds in starts.items()
    )


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(blocks=st.lists(BLOCKS, min_size=1, max_size=3))
def test_resources_without_items_are_kept_too(engine: Engine, blocks: list[ResourceSpans]) -> None:
    """Each resource with each scope is a source, whatever order their attributes have, once."""
    reversed_blocks = []
    for block in blocks:
        other = ResourceSpans()
        other.CopyFrom(block)
        del other.resource.attributes[:]
        other.resource.attributes.extend(reversed(block.resource.attributes))
        reversed_blocks.append(other)
    # The first service.name names the service: turned round, two of them are another service.
    named = [a.key for block in blocks for a in block.resource.attributes].count("service.name") < 2
    turned = reversed_blocks if named else blocks
    example = engine.stored(ExportTraceServiceRequest(resource_spans=[*blocks, *turned]))
    expected = {
        repr(sent_source(block, scope.scope, scope.schema_url)) for block in blocks for scope in block.scope_spans
    }
    assert counted(example.sources().values()) == sorted(expected)
