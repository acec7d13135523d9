import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.exceptions import InvalidRequest, NotFound
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.traces.lookup import (
    Piece,
    Place,
    StoredTrace,
    count_spans,
    find_trace,
    parse_trace_id,
    read_piece,
    rehearse,
)
from homeostat_server.query.traces.messages import traces_data
from homeostat_server.store.testing import MemoryStore
from tests import otlp
from tests.otlp import NOW_NS, TRACE_ID
from tests.telemetry_store import FilledStore


def spans_of(piece: Piece) -> list[Span]:
    """Return the spans of a piece, in their order."""
    return [span for block in piece.data.resource_spans for scope in block.scope_spans for span in scope.spans]


def read_all(filled: FilledStore, trace: StoredTrace, *, spans_max: int) -> list[Piece]:
    """Return all pieces of a trace."""
    pieces = [read_piece(filled.store, trace, after=None, spans_max=spans_max)]
    while pieces[-1].next_place is not None:
        pieces.append(read_piece(filled.store, trace, after=pieces[-1].next_place, spans_max=spans_max))
    return pieces


def test_an_unknown_trace_is_not_found(filled: FilledStore) -> None:
    """No trace, no answer: an empty one would say that the trace has no spans."""
    with pytest.raises(NotFound, match="find the trace"):
        find_trace(filled.store, tenant=filled.new_tenant(), trace_id="ab" * 16)


def test_a_rehearsal_asks_what_a_look_up_asks() -> None:
    """Where the trace is, and its spans; it finds nothing and says nothing."""
    store = MemoryStore()
    rehearse(store, tenant=Tenant("a"), now_ns=NOW_NS)
    assert [question.parameters["trace_id"] for question in store.questions] == ["0" * 32] * 2


def test_a_trace_of_another_tenant_is_not_found(filled: FilledStore) -> None:
    """Who does not own it does not learn that it is there."""
    filled.insert(filled.new_tenant(), otlp.traces(otlp.span()))
    with pytest.raises(NotFound):
        find_trace(filled.store, tenant=filled.new_tenant(), trace_id=TRACE_ID.hex())


@pytest.mark.parametrize("text", ["", "ab", "g" * 32, "ab" * 17, "a" * 31 + "\n"])
def test_what_is_no_trace_id_is_refused(text: str) -> None:
    """A wrong id is told from a trace that is not there."""
    with pytest.raises(InvalidRequest, match="32 hexadecimal digits"):
        parse_trace_id(text)


def test_a_trace_id_may_be_written_in_capitals() -> None:
    """Case means nothing."""
    assert parse_trace_id("AB" * 16) == "ab" * 16


def test_equal_spans_are_all_given_whatever_the_pieces(filled: FilledStore) -> None:
    """Spans of one start and one id stay in one piece, so that none is lost between two."""
    tenant = filled.new_tenant()
    equal = [otlp.span(span_id=bytes([7] * 8)) for _ in range(5)]
    filled.insert(tenant, otlp.traces(otlp.span(), *equal, otlp.span(start_time_unix_nano=NOW_NS + 1)))
    trace = find_trace(filled.store, tenant=tenant, trace_id=TRACE_ID.hex())
    pieces = read_all(filled, trace, spans_max=2)
    assert [piece.spans for piece in pieces] == [6, 1]
    assert pieces[0].next_place == Place(NOW_NS, "07" * 8)
    assert count_spans(filled.store, trace) == 7


def test_a_trace_is_found_across_days_segments_and_wild_clocks(filled: FilledStore) -> None:
    """The bounds of a trace hold all its spans, also when a sender lives in another century."""
    tenant = filled.new_tenant()
    starts = [1, NOW_NS, NOW_NS + 86_400 * 10**9, 2**63 - 1]
    for start_ns in starts:
        filled.insert(tenant, otlp.traces(otlp.span(start_time_unix_nano=start_ns)))
    trace = find_trace(filled.store, tenant=tenant, trace_id=TRACE_ID.hex())
    [piece] = read_all(filled, trace, spans_max=10)
    assert [span.start_time_unix_nano for span in spans_of(piece)] == starts


def test_scopes_of_one_resource_are_under_it(filled: FilledStore) -> None:
    """As an SDK sends them."""
    tenant = filled.new_tenant()
    request = otlp.traces(otlp.span())
    other = request.resource_spans[0].scope_spans.add()
    other.scope.name = "other"
    other.spans.append(otlp.span())
    filled.insert(tenant, request)
    trace = find_trace(filled.store, tenant=tenant, trace_id=TRACE_ID.hex())
    [piece] = read_all(filled, trace, spans_max=10)
    assert [[scope.scope.name for scope in block.scope_spans] for block in piece.data.resource_spans] == [
        ["tests", "other"]
    ] or [[scope.scope.name for scope in block.scope_spans] for block in piece.data.resource_spans] == [
        ["other", "tests"]
    ]


def test_spans_whose_source_is_gone_are_still_shown() -> None:
    """What is left is worth more than nothing."""
    row: dict[str, object] = {
        "source": 5,
        "start_ns": 1,
        "duration_ns": 1,
        "span_id": b"12345678",
        "parent_span_id": bytes(8),
        "name": b"GET",
        "attributes": [],
        "attribute_kinds": b"",
        "event_times_ns": [],
        "event_names": [],
        "event_attributes": [],
        "event_attribute_kinds": [],
        "event_dropped_attributes": [],
        "link_trace_ids": [],
        "link_span_ids": [],
        "link_trace_states": [],
        "link_flags": [],
        "link_attributes": [],
        "link_attribute_kinds": [],
        "link_dropped_attributes": [],
        "trace_state": b"",
        "status_message": b"",
    }
    row |= dict.fromkeys(("flags", "kind", "status_code", "dropped_attributes", "dropped_events", "dropped_links"), 0)
    data = traces_data([row], {}, trace_id=TRACE_ID)
    assert [span.name for scope in data.resource_spans[0].scope_spans for span in scope.spans] == ["GET"]
